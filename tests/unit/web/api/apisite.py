"""Operations on a real socket over a real database, and a client of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

from entendre.core.clock import Clock
from entendre.fleet.access import Principal
from entendre.store import Database
from entendre.store.audit_log import AuditReader
from entendre.store.fleet.brands import BrandStore
from entendre.store.fleet.partnerships import PartnershipStore
from entendre.store.fleet.products import ProductStore
from entendre.store.fleet.staff import StaffStore
from entendre.store.keys import ApiKeys
from entendre.store.people.accounts import AccountStore
from entendre.store.people.oauth import GrantStore
from entendre.store.requests import Requests
from entendre.system import SystemClock
from entendre.web.api.bind import bind
from entendre.web.api.operation import Operation
from entendre.web.api.routes import OPERATIONS
from entendre.web.api.services import ApiServices
from entendre.web.api.sign_in import bind_pages
from entendre.web.faults import faults
from entendre.web.server import listen


@dataclass
class ApiSite:
    """A server with operations, and a client."""

    services: ApiServices
    database: Database
    runner: web.AppRunner
    port: int
    client: ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **options: Any
    ) -> tuple[int, Any, Any]:
        """Status, decoded body and headers of an answer."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            options["json"] = body
        url = f"http://127.0.0.1:{self.port}/api/v1{path}"
        async with self.client.request(method, url, headers=headers, **options) as answer:
            text = await answer.text()
            return answer.status, (await answer.json() if text else None), answer.headers

    async def close(self) -> None:
        """Stop serving."""
        await self.client.close()
        await self.runner.cleanup()
        await self.database.close()


async def serve_api(folder: Path, operations: Sequence[Operation] = OPERATIONS, **changes: Any) -> ApiSite:
    """Serve operations over a new database in a folder."""
    database = Database(folder / "entendre.db")
    clock = SystemClock()

    async def no_key(token: str) -> None:
        return None

    values: dict[str, Any] = {
        "clock": clock,
        "region": "home",
        "verify_key": no_key,
        "require_key": False,
        "requests": Requests(database, clock, "home"),
    }
    services = ApiServices(**(values | changes))
    app = web.Application(middlewares=[faults])
    bind(app, services, operations)
    bind_pages(app)
    runner, port = await listen(app, "127.0.0.1", 0)
    return ApiSite(services, database, runner, port, ClientSession())


def maker_services(database: Database, clock: Clock, region: str = "home") -> dict[str, Any]:
    """Brands, people and their logins over a database, as the composition root puts them together."""
    common = (database, clock, region)
    brands, staff, grants, keys = BrandStore(*common), StaffStore(*common), GrantStore(*common), ApiKeys(*common)

    async def person_login(token: str) -> Principal | None:
        login = await grants.login(token)
        return None if login is None else Principal("person", login.account, client=login.client)

    return {
        "verify_key": keys.verify,
        "keys": keys,
        "brands": brands,
        "brand_named": brands.named,
        "role_in": staff.role_in,
        "products": ProductStore(*common),
        "partnerships": PartnershipStore(*common),
        "staff": staff,
        "accounts": AccountStore(*common),
        "grants": grants,
        "person_login": person_login,
        "audit": AuditReader(database, region),
    }


async def serve_makers(folder: Path, operations: Sequence[Operation] = OPERATIONS, **changes: Any) -> ApiSite:
    """Serve operations over brands and people in a new database."""
    site = await serve_api(folder, operations)
    clock = changes.get("clock", site.services.clock)
    for name, value in (maker_services(site.database, clock) | {"require_key": True} | changes).items():
        setattr(site.services, name, value)
    return site
