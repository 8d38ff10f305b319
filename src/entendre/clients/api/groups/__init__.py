"""The API's operations in groups. Written by scripts/write_client.py."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from entendre.clients.api.transport import Transport

if TYPE_CHECKING:
    from entendre.clients.api.groups.accounts import Accounts
    from entendre.clients.api.groups.audit import Audit
    from entendre.clients.api.groups.brands import Brands
    from entendre.clients.api.groups.changes import Changes
    from entendre.clients.api.groups.commands import Commands
    from entendre.clients.api.groups.consent import Consent
    from entendre.clients.api.groups.description import Description
    from entendre.clients.api.groups.device import Device
    from entendre.clients.api.groups.devices import Devices
    from entendre.clients.api.groups.enrolment import Enrolment
    from entendre.clients.api.groups.homes import Homes
    from entendre.clients.api.groups.households import Households
    from entendre.clients.api.groups.me import Me
    from entendre.clients.api.groups.members import Members
    from entendre.clients.api.groups.notes import Notes
    from entendre.clients.api.groups.oauth import Oauth
    from entendre.clients.api.groups.partnerships import Partnerships
    from entendre.clients.api.groups.privacy import Privacy
    from entendre.clients.api.groups.products import Products
    from entendre.clients.api.groups.releases import Releases
    from entendre.clients.api.groups.rollouts import Rollouts
    from entendre.clients.api.groups.routines import Routines
    from entendre.clients.api.groups.staff import Staff
    from entendre.clients.api.groups.telemetry import Telemetry
    from entendre.clients.api.groups.twins import Twins
    from entendre.clients.api.groups.webhooks import Webhooks

NAMES = (
    "accounts",
    "audit",
    "brands",
    "changes",
    "commands",
    "consent",
    "description",
    "device",
    "devices",
    "enrolment",
    "homes",
    "households",
    "me",
    "members",
    "notes",
    "oauth",
    "partnerships",
    "privacy",
    "products",
    "releases",
    "rollouts",
    "routines",
    "staff",
    "telemetry",
    "twins",
    "webhooks",
)


class Groups:
    """Every group of operations."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @cached_property
    def accounts(self) -> Accounts:
        """The operations of accounts."""
        from entendre.clients.api.groups.accounts import Accounts

        return Accounts(self._transport)

    @cached_property
    def audit(self) -> Audit:
        """The operations of audit."""
        from entendre.clients.api.groups.audit import Audit

        return Audit(self._transport)

    @cached_property
    def brands(self) -> Brands:
        """The operations of brands."""
        from entendre.clients.api.groups.brands import Brands

        return Brands(self._transport)

    @cached_property
    def changes(self) -> Changes:
        """The operations of changes."""
        from entendre.clients.api.groups.changes import Changes

        return Changes(self._transport)

    @cached_property
    def commands(self) -> Commands:
        """The operations of commands."""
        from entendre.clients.api.groups.commands import Commands

        return Commands(self._transport)

    @cached_property
    def consent(self) -> Consent:
        """The operations of consent."""
        from entendre.clients.api.groups.consent import Consent

        return Consent(self._transport)

    @cached_property
    def description(self) -> Description:
        """The operations of description."""
        from entendre.clients.api.groups.description import Description

        return Description(self._transport)

    @cached_property
    def device(self) -> Device:
        """The operations of device."""
        from entendre.clients.api.groups.device import Device

        return Device(self._transport)

    @cached_property
    def devices(self) -> Devices:
        """The operations of devices."""
        from entendre.clients.api.groups.devices import Devices

        return Devices(self._transport)

    @cached_property
    def enrolment(self) -> Enrolment:
        """The operations of enrolment."""
        from entendre.clients.api.groups.enrolment import Enrolment

        return Enrolment(self._transport)

    @cached_property
    def homes(self) -> Homes:
        """The operations of homes."""
        from entendre.clients.api.groups.homes import Homes

        return Homes(self._transport)

    @cached_property
    def households(self) -> Households:
        """The operations of households."""
        from entendre.clients.api.groups.households import Households

        return Households(self._transport)

    @cached_property
    def me(self) -> Me:
        """The operations of me."""
        from entendre.clients.api.groups.me import Me

        return Me(self._transport)

    @cached_property
    def members(self) -> Members:
        """The operations of members."""
        from entendre.clients.api.groups.members import Members

        return Members(self._transport)

    @cached_property
    def notes(self) -> Notes:
        """The operations of notes."""
        from entendre.clients.api.groups.notes import Notes

        return Notes(self._transport)

    @cached_property
    def oauth(self) -> Oauth:
        """The operations of oauth."""
        from entendre.clients.api.groups.oauth import Oauth

        return Oauth(self._transport)

    @cached_property
    def partnerships(self) -> Partnerships:
        """The operations of partnerships."""
        from entendre.clients.api.groups.partnerships import Partnerships

        return Partnerships(self._transport)

    @cached_property
    def privacy(self) -> Privacy:
        """The operations of privacy."""
        from entendre.clients.api.groups.privacy import Privacy

        return Privacy(self._transport)

    @cached_property
    def products(self) -> Products:
        """The operations of products."""
        from entendre.clients.api.groups.products import Products

        return Products(self._transport)

    @cached_property
    def releases(self) -> Releases:
        """The operations of releases."""
        from entendre.clients.api.groups.releases import Releases

        return Releases(self._transport)

    @cached_property
    def rollouts(self) -> Rollouts:
        """The operations of rollouts."""
        from entendre.clients.api.groups.rollouts import Rollouts

        return Rollouts(self._transport)

    @cached_property
    def routines(self) -> Routines:
        """The operations of routines."""
        from entendre.clients.api.groups.routines import Routines

        return Routines(self._transport)

    @cached_property
    def staff(self) -> Staff:
        """The operations of staff."""
        from entendre.clients.api.groups.staff import Staff

        return Staff(self._transport)

    @cached_property
    def telemetry(self) -> Telemetry:
        """The operations of telemetry."""
        from entendre.clients.api.groups.telemetry import Telemetry

        return Telemetry(self._transport)

    @cached_property
    def twins(self) -> Twins:
        """The operations of twins."""
        from entendre.clients.api.groups.twins import Twins

        return Twins(self._transport)

    @cached_property
    def webhooks(self) -> Webhooks:
        """The operations of webhooks."""
        from entendre.clients.api.groups.webhooks import Webhooks

        return Webhooks(self._transport)
