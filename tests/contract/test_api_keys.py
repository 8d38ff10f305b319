from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from entendre.cli import main
from entendre.core.errors import InvalidInputError, UnauthorizedError
from entendre.store import ApiKeys, Database
from entendre.store.keys import LAST_USE_EVERY_S, TRUST_S


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def keys(database: Database, clock: HandClock) -> AsyncIterator[ApiKeys]:
    made = ApiKeys(database, clock)
    yield made
    await made.close()


async def test_a_token_opens_and_its_secret_is_nowhere_in_the_file(
    keys: ApiKeys, stored_bytes: Callable[[], bytes]
) -> None:
    token, record = await keys.add("kitchen")
    found = await keys.verify(token)
    assert found is not None
    assert (found.id, found.name) == (record.id, "kitchen")
    secret = token.split("_", 2)[2].encode()
    await keys.close()
    stored = stored_bytes()
    assert b"kitchen" in stored
    assert secret not in stored


async def test_tokens_differ(keys: ApiKeys) -> None:
    tokens = {(await keys.add("same"))[0] for _ in range(20)}
    assert len({token.rsplit("_", 1)[1] for token in tokens}) == len(tokens) == 20


async def test_anything_else_does_not_open(keys: ApiKeys) -> None:
    token, _ = await keys.add("kitchen")
    other, _ = await keys.add("hall")
    body = token.split("_", 2)[2]
    wrong = [
        "", "ent_", "x" * 10_000, token[:-1], token + "a", token.upper(), f" {token}",
        token.replace(body, other.split("_", 2)[2]), token.replace("ent_", "ent_f"), "ent_" + "0" * 32 + "_" + body,
    ]  # fmt: skip
    for each in wrong:
        assert await keys.verify(each) is None, each
    with pytest.raises(UnauthorizedError):
        await keys.require(token[:-1])
    assert (await keys.require(token)).name == "kitchen"


async def test_a_revoked_key_is_refused_at_once_here_and_soon_elsewhere(
    keys: ApiKeys, database: Database, clock: HandClock
) -> None:
    token, record = await keys.add("kitchen")
    elsewhere = ApiKeys(database, clock)
    assert await keys.verify(token)
    assert await elsewhere.verify(token)
    await keys.revoke("kitchen")
    assert await keys.verify(token) is None
    clock.now_s += TRUST_S
    assert await elsewhere.verify(token) is None
    assert not await keys.any_active()
    assert [each.revoked_at_s for each in await keys.list()] == [clock.now_s - TRUST_S]
    again = await keys.revoke(record.id)
    assert again.revoked_at_s == clock.now_s - TRUST_S
    await elsewhere.close()


async def test_a_key_in_use_is_read_from_the_database_only_now_and_then(
    keys: ApiKeys, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, _ = await keys.add("kitchen")
    await keys.verify(token)

    async def refused(work: object) -> object:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(database, "read", refused)
    for _ in range(100):
        assert await keys.verify(token)


async def test_last_use_is_coarse(keys: ApiKeys, clock: HandClock) -> None:
    token, _ = await keys.add("kitchen")
    first_s = clock.now_s
    for step_s, noted_s in ((0.0, first_s), (60.0, first_s), (LAST_USE_EVERY_S, first_s + 60.0 + LAST_USE_EVERY_S)):
        clock.now_s += step_s
        await keys.verify(token)
        await keys.close()
        assert [each.last_used_at_s for each in await keys.list()] == [noted_s]


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\nb"])
async def test_names_are_bounded(keys: ApiKeys, name: str) -> None:
    with pytest.raises(InvalidInputError):
        await keys.add(name)


async def test_revoking_names_one_key(keys: ApiKeys) -> None:
    await keys.add("twin")
    await keys.add("twin")
    for name in ("twin", "nobody"):
        with pytest.raises(InvalidInputError):
            await keys.revoke(name)


def test_the_command_makes_lists_and_revokes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*words: str) -> str:
        assert main(["keys", *words, "--data-dir", str(tmp_path / "data")]) == 0
        return capsys.readouterr().out

    token = command("add", "kitchen").strip()
    assert token not in command("list")
    assert "kitchen" in command("list")
    (record,) = json.loads(command("list", "--json"))
    command("revoke", record["id"])

    async def still_opens() -> bool:
        from entendre.system import SystemClock

        database = Database(tmp_path / "data" / "entendre.db")
        keys = ApiKeys(database, SystemClock())
        found = await keys.verify(token)
        await keys.close()
        await database.close()
        return found is not None

    assert record["revoked_at_s"] is None
    assert not asyncio.run(still_opens())
    assert main(["keys", "revoke", "nobody", "--data-dir", str(tmp_path / "data")]) == 1
