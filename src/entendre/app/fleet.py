"""The cloud half put together: what is behind `/api/v1`. Each area adds its own part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entendre.app.people import open_people
from entendre.store.fleet.brands import BrandStore
from entendre.store.fleet.partnerships import PartnershipStore
from entendre.store.fleet.products import ProductStore
from entendre.store.fleet.staff import StaffStore
from entendre.store.requests import Requests
from entendre.web.api.limits import Rates
from entendre.web.api.services import ApiServices

if TYPE_CHECKING:
    from entendre.app.application import App


async def open_fleet(app: App, *, require_key: bool) -> ApiServices:
    """The services of the API over the app's database. Raises: StoreError."""
    settings, database, clock = app.settings, app.database, app.clock
    region = settings.server.region
    limits = settings.api
    brands, staff = BrandStore(database, clock, region), StaffStore(database, clock, region)
    await brands.ensure_home()
    people = await open_people(app)
    return ApiServices(
        clock=clock,
        region=region,
        verify_key=app.keys.verify,
        require_key=require_key,
        public_url=settings.server.public_url,
        rates=Rates(limits.requests_per_s, limits.burst, clock.monotonic) if limits.requests_per_s > 0 else None,
        requests=Requests(database, clock, region),
        device_login=app.fleet.tokens.device_login,
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
        **people.services(),
    )
