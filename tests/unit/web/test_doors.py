from __future__ import annotations

import logging

import pytest
from aiohttp import web
from engines import make_site

from entendre.core.errors import SynthesisError
from entendre.web.services import Door


async def hello(request: web.Request) -> web.StreamResponse:
    return web.Response(text=request.match_info.get("name", "door"))


async def test_a_gateways_route_lets_its_clients_in_by_itself_and_says_goodbye() -> None:
    closed: list[str] = []

    async def close() -> None:
        closed.append("closed")

    doors = (Door("GET", "/devices/hello", hello, close), Door("GET", "/devices/{name}", hello))
    site = await make_site(require_key=True, doors=doors)
    device_host = {"Host": "voice.example.org"}
    async with site.client.get(f"{site.address}/devices/hello", headers=device_host) as answer:
        assert (answer.status, await answer.text()) == (200, "door")
    async with site.client.get(f"{site.address}/devices/lamp", headers=device_host) as answer:
        assert (answer.status, await answer.text()) == (200, "lamp")
    async with site.client.get(f"{site.address}/v1/models") as answer:
        assert answer.status == 401
    await site.close()
    assert closed == ["closed"]


async def test_a_web_page_of_somebody_else_can_not_use_a_door() -> None:
    site = await make_site(doors=(Door("POST", "/devices/hello", hello),))
    headers = {"Origin": "https://evil.example"}
    async with site.client.post(f"{site.address}/devices/hello", headers=headers) as answer:
        assert answer.status == 403
    await site.close()


async def fail(request: web.Request) -> web.StreamResponse:
    raise SynthesisError(detail="no voice")


async def test_a_token_in_a_path_does_not_reach_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    site = await make_site(doors=(Door("GET", "/devices/{token}", fail),))
    async with site.client.get(f"{site.address}/devices/s3cret") as answer:
        assert answer.status >= 500
    await site.close()
    ours = [vars(record) for record in caplog.records if record.name.startswith("entendre")]
    assert any(record.get("route") == "/devices/{token}" for record in ours)
    assert "s3cret" not in str([(record["msg"], record.get("route")) for record in ours])
