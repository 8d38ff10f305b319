"""Who is let in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSServerHandshakeError, web
from engines import KEY, Site, make_site

from entendre.core.errors import ConfigurationError
from entendre.web.faults import faults
from entendre.web.guard import PRINCIPAL, check_bind
from entendre.web.server import listen


class EchoGateway:
    """Stands for a gateway: says hello with the principal."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("realtime",))
        await socket.prepare(request)
        await socket.send_str(str(request[PRINCIPAL]))
        await socket.close()
        return socket

    async def close(self) -> None:
        return None


@pytest.fixture
async def locked() -> AsyncIterator[Site]:
    site = await make_site(require_key=True, realtime=EchoGateway())
    yield site
    await site.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_loopback_needs_no_key(host: str) -> None:
    check_bind(host, has_keys=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_other_addresses_need_a_key(host: str) -> None:
    check_bind(host, has_keys=True)
    with pytest.raises(ConfigurationError, match="entendre keys create"):
        check_bind(host, has_keys=False)


@pytest.mark.parametrize("route", ["/v1/models", "/v1/ask", "/v1/audio/speech", "/v1/nothing"])
async def test_no_route_of_the_api_is_open_without_the_key(locked: Site, route: str) -> None:
    for key in (None, "wrong", "x" * 5_000):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        async with locked.client.get(f"{locked.address}{route}", headers=headers) as answer:
            assert answer.status == 401
            assert (await answer.json())["error"]["code"] == "invalid_api_key"


async def test_the_key_opens(locked: Site) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with locked.client.get(f"{locked.address}/v1/models", headers=headers) as answer:
        listed = await answer.json()
    assert [(model["id"], model["kind"]) for model in listed["data"]] == [
        ("measuring", "recognizer"),
        ("tone", "voice"),
    ]


@pytest.mark.parametrize("route", ["/", "/healthz", "/readyz", "/static/talk.js", "/static/settings"])
async def test_the_page_and_health_are_open(locked: Site, route: str) -> None:
    async with locked.client.get(f"{locked.address}{route}") as answer:
        assert answer.status == 200


async def test_browsers_send_the_key_as_a_subprotocol(locked: Site) -> None:
    address = f"{locked.address}/v1/realtime"
    offered = ["realtime", f"openai-insecure-api-key.{KEY}"]
    async with locked.client.ws_connect(address, protocols=offered) as socket:
        assert socket.protocol == "realtime"
        assert await socket.receive_str() == "owner"
    with pytest.raises(WSServerHandshakeError) as refused:
        await locked.client.ws_connect(address, protocols=["realtime", "openai-insecure-api-key.no"])
    assert refused.value.status == 401


async def test_any_key_will_do_where_none_is_needed(site: Site) -> None:
    async with site.client.get(f"{site.address}/v1/models", headers={"Authorization": "Bearer sk-x"}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8770", "127.0.0.1.evil.example", "", "[::1", "a" * 300])
async def test_names_that_are_not_ours_are_refused(site: Site, host: str) -> None:
    """DNS rebinding: a page of evil.example, whose name now points to this machine."""
    async with site.client.get(f"{site.address}/v1/models", headers={"Host": host}) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["code"] == "host_not_allowed"


@pytest.mark.parametrize("host", ["localhost:8770", "127.0.0.1", "[::1]:8770", "192.168.1.5:8770"])
async def test_our_names_are_accepted(site: Site, host: str) -> None:
    async with site.client.get(f"{site.address}/v1/models", headers={"Host": host}) as answer:
        assert answer.status == 200


async def test_with_a_key_any_name_will_do(locked: Site) -> None:
    headers = {"Host": "kitchen.home", "Authorization": f"Bearer {KEY}"}
    async with locked.client.get(f"{locked.address}/v1/models", headers=headers) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1:1", "null", "http://localhost"])
async def test_pages_of_other_sites_cannot_act(locked: Site, origin: str) -> None:
    headers = {"Origin": origin, "Authorization": f"Bearer {KEY}"}
    async with locked.client.post(f"{locked.address}/v1/ask", json={"text": "x"}, headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (403, "origin_not_allowed")
    with pytest.raises(WSServerHandshakeError) as refused:
        await locked.client.ws_connect(f"{locked.address}/v1/realtime", headers=headers)
    assert refused.value.status == 403


async def test_our_own_page_can_act(locked: Site) -> None:
    headers = {"Origin": locked.address, "Authorization": f"Bearer {KEY}"}
    async with locked.client.post(f"{locked.address}/v1/ask", json={"text": "x"}, headers=headers) as answer:
        assert answer.status == 200


async def test_what_peers_send_stays_out_of_the_log(locked: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    port = int(locked.address.rpartition(":")[2])
    for request in (
        f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\x01\r\n\r\n",
        f"GET /?{KEY}\x7f HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request.encode())
        assert b" 400 " in await reader.readline()
        writer.close()
    for protocols in ((f"openai-insecure-api-key.{KEY}",), ("realtime", f"openai-insecure-api-key.{KEY}")):
        async with locked.client.ws_connect(f"{locked.address}/v1/realtime", protocols=protocols) as socket:
            await socket.receive()
    assert "malformed request" in caplog.text
    assert KEY not in caplog.text


async def test_a_peer_that_goes_away_leaves_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    gone = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        try:
            await web.WebSocketResponse().prepare(request)
            return web.Response()
        finally:
            gone.set()

    app = web.Application(middlewares=[faults])
    app.router.add_get("/", answer)
    runner, port = await listen(app, "127.0.0.1", 0)
    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    async with asyncio.timeout(2):
        await gone.wait()
    writer.close()
    await runner.cleanup()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("origin", ["http://[", "null", "http://evil.example", "https://localhost.evil.example"])
async def test_other_origins_are_refused_however_they_are_written(locked: Site, origin: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Origin": origin}
    async with locked.client.post(f"{locked.address}/v1/ask", json={"text": "hello"}, headers=headers) as answer:
        assert answer.status == 403
