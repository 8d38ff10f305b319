"""Old routes and new behind one guard: whose keys open what, and that other people's pages open nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from engines import Site, make_site

from entendre.ports import KeyRecord
from entendre.store import Database
from entendre.store.fleet.brands import BrandStore
from entendre.system import SystemClock
from entendre.web.api.limits import Rates
from entendre.web.api.services import ApiServices

KEYS = {"operator": KeyRecord("k0", "all", 0.0), "acme": KeyRecord("k1", "acme", 0.0, brand="home", role="admin")}


async def verify_key(token: str) -> KeyRecord | None:
    return KEYS.get(token)


async def serve(database: Database, *, require_key: bool, **changes: Any) -> Site:
    brands = BrandStore(database, SystemClock(), "home")
    await brands.ensure_home()
    services = ApiServices(
        clock=SystemClock(),
        region="home",
        verify_key=verify_key,
        require_key=require_key,
        brands=brands,
        brand_named=brands.named,
    )
    for name, value in changes.items():
        setattr(services, name, value)
    return await make_site(verify_key=verify_key, require_key=require_key, api=services)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(tmp_path / "entendre.db")
    yield opened
    await opened.close()


async def status_of(site: Site, method: str, path: str, token: str | None = None, **headers: str) -> int:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with site.client.request(method, f"{site.address}{path}", headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        ("operator", "/api/v1/brands", 200),
        ("acme", "/api/v1/brands", 403),
        ("acme", "/api/v1/brands/home", 200),
        ("acme", "/v1/models", 200),
        ("acme", "/v1/devices", 403),
        ("acme", "/v1/realtime", 403),
        ("acme", "/v1/ask", 403),
        ("acme", "/v1/announcements", 403),
        ("acme", "/v1/media", 403),
        ("operator", "/v1/devices", 503),
        ("entd_x", "/v1/devices", 401),
        ("enta_x", "/v1/ask", 401),
        (None, "/api/v1/brands/home", 401),
        (None, "/api/v1/openapi.json", 200),
        (None, "/device", 200),
        (None, "/.well-known/oauth-authorization-server", 200),
        (None, "/api/v1/nothing", 404),
    ],
)
async def test_what_a_key_opens(database: Database, token: str | None, path: str, status: int) -> None:
    site = await serve(database, require_key=True)
    posted = path in ("/v1/ask", "/v1/announcements", "/v1/media")
    assert await status_of(site, "POST" if posted else "GET", path, token) == status
    await site.close()


async def test_without_keys_whoever_uses_the_machine_is_the_operator(database: Database) -> None:
    site = await serve(database, require_key=False)
    assert await status_of(site, "GET", "/api/v1/brands") == 200
    assert await status_of(site, "GET", "/api/v1/brands", "unknown") == 401
    assert await status_of(site, "GET", "/v1/devices", "acme") == 403
    assert await status_of(site, "GET", "/v1/devices", "entd_x") == 401  # never just any key
    await site.close()


async def test_pages_of_others_and_rebound_names_open_nothing(database: Database) -> None:
    site = await serve(database, require_key=False)
    for path in ("/api/v1/brands", "/device", "/oauth/authorize"):
        assert await status_of(site, "POST", path, Origin="https://evil.example") == 403
        assert await status_of(site, "GET", path, Host="evil.example") == 403
    await site.close()


async def test_a_trusted_proxy_says_who_asks(database: Database) -> None:
    rates = Rates(0.001, 2, lambda: 0.0)
    site = await serve(database, require_key=False, rates=rates, trusted_proxies=(ip_network("127.0.0.0/8"),))
    path = "/api/v1/brands"
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        assert await status_of(site, "GET", path, **{"X-Forwarded-For": f"203.0.113.9, {address}"}) == 200
    assert await status_of(site, "GET", path, **{"X-Forwarded-For": "192.0.2.1"}) == 429
    await site.close()


async def test_others_can_not_say_who_asks(database: Database) -> None:
    rates = Rates(0.001, 2, lambda: 0.0)
    site = await serve(database, require_key=False, rates=rates)
    statuses = [
        await status_of(site, "GET", "/api/v1/brands", **{"X-Forwarded-For": f"192.0.2.{number}"})
        for number in range(3)
    ]
    assert statuses == [200, 200, 429]
    await site.close()
