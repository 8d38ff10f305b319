"""What the operations are given: one attribute for each area, filled in by the composition root."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import TypeVar

from aiohttp import web

from entendre.core.attempts import Attempts
from entendre.core.clock import Clock
from entendre.core.roles import Place, Role
from entendre.fleet.access import Principal
from entendre.ports.access import BrandKeys, KeyRecord
from entendre.ports.accounts import Accounts, Grants
from entendre.ports.audit import AuditLog
from entendre.ports.brands import Brands, Partnerships, Products, Staff
from entendre.ports.changes import ChangeFeed
from entendre.ports.commands import CommandDesk, CommandInbox, CommandJobDesk
from entendre.ports.fleet_devices import DeviceCredentials, Directory, Enrolment, FleetRegistry
from entendre.ports.fleet_twins import Twins
from entendre.ports.homes import Homes
from entendre.ports.households import (
    Consents,
    Erasure,
    Export,
    History,
    HouseDevices,
    Households,
    HouseThings,
    Members,
    Notes,
    Retention,
    Rooms,
    Routines,
)
from entendre.ports.releases import ArtifactShelf, DownloadTokens, ReleaseBook
from entendre.ports.requests import AnsweredRequests
from entendre.ports.rollouts import DeviceReleases, RolloutBook
from entendre.ports.telemetry import Telemetry
from entendre.ports.webhooks import Webhooks
from entendre.web.api.limits import Rates
from entendre.web.faults import Fault

T = TypeVar("T")


@dataclass(slots=True)
class ApiServices:
    """Everything behind the API. An area whose attribute is None answers 503 `not_ready` (see `needed`).

    `verify_key`: what an API key stands for. `person_login`, `device_login`: whom an access token or a device's token
    belongs to; None for unknown ones. `brand_named`, `household_named`: an id by id or name; None for unknown ones.
    `role_in`, `place_in`: of an account in a brand or household; None if it has none.
    """

    clock: Clock
    region: str
    verify_key: Callable[[str], Awaitable[KeyRecord | None]]
    require_key: bool = True
    public_url: str = ""
    rates: Rates | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    requests: AnsweredRequests | None = None
    person_login: Callable[[str], Awaitable[Principal | None]] | None = None
    device_login: Callable[[str], Awaitable[Principal | None]] | None = None
    brand_named: Callable[[str], Awaitable[str | None]] | None = None
    role_in: Callable[[str, str], Awaitable[Role | None]] | None = None
    household_named: Callable[[str], Awaitable[str | None]] | None = None
    place_in: Callable[[str, str], Awaitable[Place | None]] | None = None
    keys: BrandKeys | None = None
    brands: Brands | None = None
    products: Products | None = None
    partnerships: Partnerships | None = None
    staff: Staff | None = None
    fleet_devices: FleetRegistry | None = None
    device_tokens: DeviceCredentials | None = None
    twins: Twins | None = None
    enrolment: Enrolment | None = None
    directory: Directory | None = None
    region_endpoint: Callable[[str], str] | None = None
    """How devices reach a region; empty where that is not known."""
    provisioning_rates: tuple[Rates, Rates] | None = None
    """How often an address, and a serial number, may try to enrol."""
    accounts: Accounts | None = None
    grants: Grants | None = None
    homes: Homes | None = None
    changes: ChangeFeed | None = None
    commands: CommandDesk | None = None
    command_jobs: CommandJobDesk | None = None
    inbox: CommandInbox | None = None
    telemetry: Telemetry | None = None
    webhooks: Webhooks | None = None
    releases: ReleaseBook | None = None
    artifacts: ArtifactShelf | None = None
    downloads: DownloadTokens | None = None
    rollouts: RolloutBook | None = None
    device_releases: DeviceReleases | None = None
    streams: Counter[str] = field(default_factory=Counter)
    """Open streams of changes by who reads them."""
    endless: set[asyncio.Task[object]] = field(default_factory=set)
    """Requests that are answered for as long as their readers like; a server that stops ends them."""
    households: Households | None = None
    members: Members | None = None
    rooms: Rooms | None = None
    house_devices: HouseDevices | None = None
    things: HouseThings | None = None
    notes: Notes | None = None
    routines: Routines | None = None
    history: History | None = None
    consents: Consents | None = None
    retention: Retention | None = None
    export: Export | None = None
    erasure: Erasure | None = None
    sign_up: str = "closed"
    sign_ups: Attempts | None = None
    audit: AuditLog | None = None


API: web.AppKey[ApiServices] = web.AppKey("api", ApiServices)


def needed(service: T | None) -> T:
    """An area's service. Raises: Fault 503 where it is not kept here."""
    if service is None:
        raise Fault(503, "not_ready", "This server does not keep that.")
    return service
