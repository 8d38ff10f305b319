"""The API's operations in groups. Written by scripts/write_client.py."""

from __future__ import annotations

from entendre.clients.api.groups.brands import Brands
from entendre.clients.api.groups.changes import Changes
from entendre.clients.api.groups.commands import Commands
from entendre.clients.api.groups.consent import Consent
from entendre.clients.api.groups.description import Description
from entendre.clients.api.groups.homes import Homes
from entendre.clients.api.groups.households import Households
from entendre.clients.api.groups.members import Members
from entendre.clients.api.groups.notes import Notes
from entendre.clients.api.groups.partnerships import Partnerships
from entendre.clients.api.groups.privacy import Privacy
from entendre.clients.api.groups.products import Products
from entendre.clients.api.groups.routines import Routines
from entendre.clients.api.groups.staff import Staff
from entendre.clients.api.groups.telemetry import Telemetry
from entendre.clients.api.groups.webhooks import Webhooks
from entendre.clients.api.transport import Transport


class Groups:
    """Every group of operations."""

    def __init__(self, transport: Transport) -> None:
        self.brands = Brands(transport)
        self.changes = Changes(transport)
        self.commands = Commands(transport)
        self.consent = Consent(transport)
        self.description = Description(transport)
        self.homes = Homes(transport)
        self.households = Households(transport)
        self.members = Members(transport)
        self.notes = Notes(transport)
        self.partnerships = Partnerships(transport)
        self.privacy = Privacy(transport)
        self.products = Products(transport)
        self.routines = Routines(transport)
        self.staff = Staff(transport)
        self.telemetry = Telemetry(transport)
        self.webhooks = Webhooks(transport)
