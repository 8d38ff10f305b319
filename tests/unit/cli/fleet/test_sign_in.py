"""Sign-ins: kept for this user alone, renewed once however many commands want to, and forgotten when they are over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from entendre.cli.fleet.sign_in import SignedOutError, SignIn, fresh_token, keep, sign_in_at, tokens_file
from entendre.clients.api import NotReachedError


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration folder of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


class Tokens:
    """A server that renews each refresh token once, as ours does."""

    def __init__(self) -> None:
        self.valid = {"r0"}
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.asked += 1
        if form["refresh_token"] not in self.valid:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.valid = {f"r{self.asked}"}
        given = {"access_token": f"a{self.asked}", "refresh_token": f"r{self.asked}", "expires_in": 3600}
        return web.json_response(given)


@pytest.fixture
async def tokens() -> AsyncIterator[tuple[Tokens, str]]:
    """The server and its address."""
    server, app = Tokens(), web.Application()
    app.router.add_post("/api/v1/oauth/token", server.answer)
    running = TestServer(app)
    await running.start_server()
    yield server, str(running.make_url("")).rstrip("/")
    await running.close()


async def test_nobody_is_signed_in_at_first() -> None:
    assert await fresh_token("http://localhost") is None
    assert not tokens_file().exists()


async def test_sign_ins_are_kept_by_server_and_for_this_user_alone() -> None:
    end = time.time() + 3_600
    keep("http://a", SignIn("a1", "r1", end))
    keep("http://b", SignIn("a2", "r2", end))
    assert tokens_file().stat().st_mode & 0o777 == 0o600
    assert (await fresh_token("http://a"), await fresh_token("http://b")) == ("a1", "a2")
    keep("http://a", None)
    assert await fresh_token("http://a") is None
    assert await fresh_token("http://b") == "a2"


async def test_many_commands_at_once_renew_once(tokens: tuple[Tokens, str]) -> None:
    server, url = tokens
    keep(url, SignIn("a0", "r0", time.time()))
    assert set(await asyncio.gather(*(fresh_token(url) for _ in range(8)))) == {"a1"}
    assert server.asked == 1
    kept = sign_in_at(url)
    assert kept is not None
    assert (kept.refresh_token, kept.expires_at_s > time.time() + 3_000) == ("r1", True)


async def test_a_sign_in_that_is_over_is_forgotten(tokens: tuple[Tokens, str]) -> None:
    server, url = tokens
    keep(url, SignIn("a", "stolen", time.time()))
    with pytest.raises(SignedOutError):
        await fresh_token(url)
    assert sign_in_at(url) is None
    assert server.asked == 1


async def test_a_server_that_is_away_ends_no_sign_in(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    keep(url, SignIn("a", "r", time.time()))
    with pytest.raises(NotReachedError):
        await fresh_token(url)
    assert sign_in_at(url) is not None
