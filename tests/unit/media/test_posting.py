"""Posts to addresses that others chose: only public ones are reached, and no redirect leads elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from entendre.media.addresses import is_public
from entendre.media.posting import ANSWER_BYTES, NO_ANSWER, Poster


class Site:
    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.port = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append((request.path, await request.read()))
        if request.path == "/away":
            raise web.HTTPTemporaryRedirect("/there")
        return web.Response(status=202, body=b"x" * ANSWER_BYTES * 4)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site, app = Site(), web.Application()
    app.router.add_post("/{name}", site.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "2130706433", "[::ffff:127.0.0.1]", "\uff11\uff12\uff17.0.0.1"],
)
async def test_this_machine_is_not_posted_to(site: Site, host: str) -> None:
    poster = Poster()
    assert await poster(f"http://{host}:{site.port}/hook", b"{}", {}) == NO_ANSWER
    assert site.got == []
    await poster.close()


@pytest.mark.parametrize(
    "address",
    ["64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "::7f00:1", "::ffff:10.0.0.1", "2002:7f00:1::", "fec0::1", "100.64.0.1"],
)
def test_no_form_of_an_address_hides_that_it_is_private(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are_public_in_every_form() -> None:
    assert all(is_public(each) for each in ("1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"))


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.1.1", "169.254.169.254", "[fd00::1]", "100.64.0.1"])
async def test_private_networks_are_not_posted_to(host: str) -> None:
    poster = Poster(to_loopback=True)
    assert await poster(f"http://{host}/hook", b"{}", {}) == NO_ANSWER
    await poster.close()


async def test_this_machine_is_posted_to_where_the_operator_says_so(site: Site) -> None:
    poster = Poster(to_loopback=True)
    assert await poster(f"http://127.0.0.1:{site.port}/hook", b'{"a":1}', {"X-A": "1"}) == 202
    assert site.got == [("/hook", b'{"a":1}')]
    await poster.close()


async def test_a_redirect_is_not_followed(site: Site) -> None:
    poster = Poster(to_loopback=True)
    assert await poster(f"http://127.0.0.1:{site.port}/away", b"{}", {}) == 307
    assert [path for path, _ in site.got] == ["/away"]
    await poster.close()


async def test_nobody_there_is_no_answer(free_port: int) -> None:
    poster = Poster(to_loopback=True)
    assert await poster(f"http://127.0.0.1:{free_port}/hook", b"{}", {}) == NO_ANSWER
    assert await poster("no url", b"{}", {}) == NO_ANSWER
    await poster.close()
