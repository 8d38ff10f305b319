"""The cloud half put together: what is behind `/api/v1`. Each area adds its own part."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from entendre.app.enrolment import open_enrolment
from entendre.app.people import open_people
from entendre.core.errors import ConfigurationError
from entendre.fleet.access import Principal
from entendre.store.audit_log import AuditReader
from entendre.store.fleet.brands import BrandStore
from entendre.store.fleet.partnerships import PartnershipStore
from entendre.store.fleet.products import ProductStore
from entendre.store.fleet.staff import StaffStore
from entendre.store.people.accounts import AccountStore
from entendre.store.people.oauth import GrantStore
from entendre.store.requests import Requests
from entendre.web.api.limits import Rates
from entendre.web.api.services import ApiServices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from entendre.app.application import App


async def open_fleet(app: App, *, require_key: bool) -> ApiServices:
    """The services of the API over the app's database. Raises: StoreError."""
    settings, database, clock = app.settings, app.database, app.clock
    region = settings.server.region
    limits = settings.api
    brands, staff = BrandStore(database, clock, region), StaffStore(database, clock, region)
    grants = GrantStore(database, clock, region)
    await brands.ensure_home()
    people = await open_people(app)

    async def person_login(token: str) -> Principal | None:
        login = await grants.login(token)
        return None if login is None else Principal("person", login.account, client=login.client)

    return ApiServices(
        clock=clock,
        region=region,
        verify_key=app.keys.verify,
        require_key=require_key,
        public_url=settings.server.public_url,
        rates=Rates(limits.requests_per_s, limits.burst, clock.monotonic) if limits.requests_per_s > 0 else None,
        requests=Requests(database, clock, region),
        device_login=app.fleet.tokens.device_login,
        fleet_devices=app.fleet.registry,
        device_tokens=app.fleet.tokens,
        twins=app.fleet.twins,
        changes=app.fleet.feed,
        commands=app.fleet.commands,
        command_jobs=app.fleet.jobs,
        inbox=app.fleet.commands,
        telemetry=app.fleet.telemetry,
        webhooks=app.fleet.webhooks,
        brand_named=brands.named,
        role_in=staff.role_in,
        keys=app.keys,
        brands=brands,
        products=ProductStore(database, clock, region),
        partnerships=PartnershipStore(database, clock, region),
        staff=staff,
        releases=app.fleet.releases.book,
        artifacts=app.fleet.releases.artifacts,
        downloads=app.fleet.releases.downloads,
        rollouts=app.fleet.releases.rollouts,
        device_releases=app.fleet.releases.door,
        homes=app.households.homes,
        **people.services(),
        accounts=AccountStore(database, clock, region),
        grants=grants,
        person_login=person_login,
        sign_up=_sign_up(limits.sign_up),
        audit=AuditReader(database, region),
        trusted_proxies=_networks(settings.server.trusted_proxies),
        **open_enrolment(app),
    )


def _sign_up(chosen: str) -> str:
    if chosen not in ("closed", "open"):
        raise ConfigurationError("api.sign_up is closed or open.")
    return chosen


def _networks(named: Iterable[str]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(each, strict=False) for each in named)
    except ValueError as error:
        raise ConfigurationError(f"server.trusted_proxies: {error}.") from error
