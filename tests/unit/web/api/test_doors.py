"""Commands, telemetry, changes and webhooks over HTTP, on a real socket and a real database."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from apisite import ApiSite, serve_api

from entendre.cloud.changes import LiveChanges
from entendre.cloud.command_jobs import CommandJobs
from entendre.cloud.commands import Commands
from entendre.cloud.links import LiveLinks
from entendre.cloud.telemetry import TelemetryDoor
from entendre.cloud.webhooks import WebhookDesk
from entendre.media.posting import Poster
from entendre.ports.changes import Interest
from entendre.ports.commands import CommandAnswer, CommandRecord
from entendre.ports.fleet_devices import NewDevice
from entendre.ports.links import SPEAKS
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce
from entendre.store.fleet.brands import BrandStore
from entendre.store.fleet.changes import ChangeRows
from entendre.store.fleet.command_jobs import CommandRows
from entendre.store.fleet.credentials import DeviceTokens
from entendre.store.fleet.devices import FleetDevices
from entendre.store.fleet.telemetry import TelemetryRows
from entendre.store.fleet.webhooks import WebhookRows
from entendre.store.keys import ApiKeys
from entendre.system import SystemClock, new_id
from entendre.web.api import changes as sse

HOME = "home"
DEVICE = "/brands/home/devices"


class Echo:
    """A connected device that answers with what it was asked."""

    kind = "test"
    rank = SPEAKS

    async def call(self, command: str, name: str, payload: Any, timeout_s: float) -> CommandAnswer:
        if name == "never":
            await asyncio.Event().wait()
        return CommandAnswer(404 if name == "unknown" else 200, {"name": name, "payload": payload, "id": command})

    async def deliver(self, command: CommandRecord) -> None:
        return

    def desired(self, patch: Any, version: int, *, replaces: bool) -> None:
        return

    def close(self, reason: str) -> None:
        return


class Doors:
    def __init__(self, site: ApiSite, links: LiveLinks, registry: FleetDevices, tokens: DeviceTokens) -> None:
        self.site = site
        self.links = links
        self._registry = registry
        self._tokens = tokens

    async def device(self, serial: str = "s1") -> tuple[str, str]:
        made = await self._registry.register(HOME, NewDevice("speaker", serial), by="t")
        return made.id, await self._tokens.issue(HOME, made.id, by="t")

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        status, answered, _ = await self.site.ask(method, path, body, **options)
        return status, answered


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    site = await serve_api(tmp_path)
    database, clock, services = site.database, SystemClock(), site.services
    brands = BrandStore(database, clock, HOME)
    await brands.ensure_home()
    feed = LiveChanges(ChangeRows(database, clock, HOME), poll_s=0.05)
    await feed.open()
    database.on_written = feed.wake
    links, rows = LiveLinks(feed), CommandRows(database, clock, HOME)
    registry, tokens = FleetDevices(database, clock), DeviceTokens(database, clock)

    async def brand_of(device: str) -> str | None:
        found = await registry.found(device)
        return found.brand if found is not None else None

    commands = Commands(rows, links, feed, clock, brand_of=brand_of, new_id=new_id)
    poster = Poster(to_loopback=True)
    keys = ApiKeys(database, clock, HOME)
    services.device_login = tokens.device_login
    services.verify_key = keys.verify
    services.keys = keys
    services.brand_named = brands.named
    services.brands = brands
    services.changes = feed
    services.commands = services.inbox = commands
    services.command_jobs = jobs = CommandJobs(rows, registry.ids, clock, new_id=new_id)
    services.telemetry = TelemetryDoor(TelemetryRows(database, clock, HOME), clock, new_id=new_id)
    services.webhooks = WebhookDesk(
        WebhookRows(database, clock, HOME), feed, poster, clock, new_id=new_id, to_private=True
    )
    work = (feed.run(), links.run(), commands.delivery.run(), jobs.run(), services.webhooks.run())
    running = [asyncio.create_task(each) for each in work]
    yield Doors(site, links, registry, tokens)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await commands.settle()
    await poster.close()
    await keys.close()
    await site.close()


async def test_a_direct_command_answers_or_says_at_once_that_nobody_is_there(doors: Doors) -> None:
    device, _ = await doors.device()
    call = f"{DEVICE}/{device}/call"
    status, body = await doors.ask("POST", call, {"name": "reboot"})
    assert (status, body["error"]["code"]) == (409, "offline")
    status, body = await doors.ask("POST", f"{DEVICE}/{new_id()}/call", {"name": "reboot"})
    assert (status, body["error"]["code"]) == (404, "not_found")
    detach = doors.links.attach(device, HOME, Echo())
    status, body = await doors.ask("POST", call, {"name": "say", "payload": {"a": [1]}})
    assert (status, body["state"], body["status"]) == (200, "done", 200)
    assert body["result"] == {"name": "say", "payload": {"a": [1]}, "id": body["id"]}
    status, body = await doors.ask("POST", call, {"name": "unknown"})
    assert (status, body["state"], body["status"]) == (200, "failed", 404)
    status, body = await doors.ask("POST", call, {"name": "never", "timeout_s": 1})
    assert (status, body["error"]["code"]) == (504, "no_answer")
    detach()


async def test_a_direct_command_with_a_key_is_the_same_command_however_often_it_is_sent(doors: Doors) -> None:
    device, _ = await doors.device()
    detach = doors.links.attach(device, HOME, Echo())
    asked = ("POST", f"{DEVICE}/{device}/call", {"name": "say"})
    first = await doors.ask(*asked, headers={"Idempotency-Key": "k1"})
    assert await doors.ask(*asked, headers={"Idempotency-Key": "k1"}) == first
    assert (await doors.ask(*asked, headers={"Idempotency-Key": "k2"}))[1]["id"] != first[1]["id"]
    detach()


async def test_a_device_without_a_connection_asks_for_its_commands_and_answers_them(doors: Doors) -> None:
    device, token = await doors.device()
    _, others = await doors.device("s2")
    waiting = asyncio.create_task(doors.ask("GET", "/device/commands?wait_s=10", token=token))
    status, queued = await doors.ask("POST", f"{DEVICE}/{device}/commands", {"name": "update", "payload": {"n": 1}})
    assert (status, queued["state"]) == (201, "queued")
    status, body = await waiting
    assert [(each["id"], each["payload"], each["delivery"]) for each in body["data"]] == [(queued["id"], {"n": 1}, 1)]
    assert (await doors.ask("GET", "/device/commands", token=token))[1]["data"] == []
    assert len((await doors.ask("GET", "/device/commands?again=true", token=token))[1]["data"]) == 1
    answer = f"/device/commands/{queued['id']}/answer"
    assert (await doors.ask("POST", answer, {"status": 200}, token=others))[0] == 404
    assert await doors.ask("POST", answer, {"result": [1]}, token=token) == (200, {"id": queued["id"], "state": "done"})
    assert (await doors.ask("POST", answer, {"status": 500}, token=token))[1]["state"] == "done"
    status, shown = await doors.ask("GET", f"{DEVICE}/{device}/commands/{queued['id']}")
    assert (shown["state"], shown["result"], shown["status"]) == ("done", [1], 200)
    status, body = await doors.ask("DELETE", f"{DEVICE}/{device}/commands/{queued['id']}")
    assert (status, body["error"]["code"]) == (409, "conflict")
    assert (await doors.ask("GET", "/device/commands"))[0] == 403


async def test_commands_are_listed_in_pages_and_bounded(doors: Doors) -> None:
    device, _ = await doors.device()
    path = f"{DEVICE}/{device}/commands"
    made = [(await doors.ask("POST", path, {"name": "a"}))[1]["id"] for _ in range(5)]
    _, first = await doors.ask("GET", f"{path}?limit=3")
    _, second = await doors.ask("GET", f"{path}?limit=3&after={first['next']}")
    assert [each["id"] for each in (*first["data"], *second["data"])] == made[::-1]
    assert second["next"] is None
    status, _ = await doors.ask("POST", path, {"name": "a", "payload": "x" * 70_000})
    assert status == 413
    for _ in range(45):
        await doors.ask("POST", path, {"name": "a"})
    status, body = await doors.ask("POST", path, {"name": "a"})
    assert (status, body["error"]["code"]) == (429, "throttled")


async def test_a_job_reaches_every_device_that_its_query_finds(doors: Doors) -> None:
    devices = sorted([(await doors.device(f"s{number}"))[0] for number in range(3)])
    status, job = await doors.ask("POST", "/brands/home/command-jobs", {"name": "reboot"})
    assert (status, job["state"]) == (201, "running")
    feed = doors.site.services.changes
    assert feed is not None
    following = feed.follow(Interest(topics=("command_job",), subject=job["id"]), 0)
    async with asyncio.timeout(10):
        async for heard in following:
            if any(each.change == "queued" for each in heard.changes):
                break
    await following.aclose()  # type: ignore[attr-defined]
    _, shown = await doors.ask("GET", f"/brands/home/command-jobs/{job['id']}")
    assert (shown["queued"], shown["states"]) == (3, {"queued": 3})
    for device in devices:
        assert (await doors.ask("GET", f"{DEVICE}/{device}/commands"))[1]["data"][0]["job"] == job["id"]
    _, ended = await doors.ask("DELETE", f"/brands/home/command-jobs/{job['id']}")
    assert (ended["state"], ended["states"]) == ("cancelled", {"cancelled": 3})
    status, body = await doors.ask("POST", "/brands/home/command-jobs", {"name": "x", "query": "tags.a ="})
    assert (status, body["error"]["code"]) == (400, "invalid_input")


async def test_telemetry_is_kept_once_and_read_by_time(doors: Doors) -> None:
    device, token = await doors.device()
    batch = {"messages": [{"id": f"m{n}", "at_s": 100.0 + n, "body": {"n": n}} for n in range(5)]}
    for _ in range(2):
        assert await doors.ask("POST", "/device/telemetry", batch, token=token) == (200, {"kept": 5})
    _, first = await doors.ask("GET", f"{DEVICE}/{device}/telemetry?from_s=101&limit=2")
    _, second = await doors.ask("GET", f"{DEVICE}/{device}/telemetry?from_s=101&limit=2&after={first['next']}")
    assert [each["body"]["n"] for each in (*first["data"], *second["data"])] == [1, 2, 3, 4]
    assert len((await doors.ask("GET", "/brands/home/telemetry?limit=3"))[1]["data"]) == 3
    assert (await doors.ask("POST", "/device/telemetry", {"messages": []}, token=token))[0] == 400
    assert (await doors.ask("POST", "/device/telemetry", batch))[0] == 403


async def write(database: Database, *numbers: int, size: int = 0) -> None:
    entries = [FeedEntry(HOME, "command", f"s{n}", "queued", data={"n": n, "x": "y" * size}) for n in numbers]
    await database.write(lambda connection: announce(connection, HOME, 1.0, entries))


@asynccontextmanager
async def stream(doors: Doors, path: str, token: str | None = None, **headers: str) -> AsyncIterator[Any]:
    headers = {"Accept": "text/event-stream", **headers}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    url = f"http://127.0.0.1:{doors.site.port}/api/v1{path}"
    async with doors.site.client.get(url, headers=headers) as answer:
        yield answer


async def events(answer: Any, count: int) -> list[tuple[int, dict[str, Any]]]:
    """So many events: their ids and documents."""
    found: list[tuple[int, dict[str, Any]]] = []
    id = 0
    async with asyncio.timeout(10):
        async for line in answer.content:
            if line.startswith(b"id: "):
                id = int(line[4:])
            elif line.startswith(b"data: ") and id:
                found.append((id, json.loads(line[6:])))
                if len(found) == count:
                    break
    return found


async def test_changes_are_read_as_pages_and_as_a_stream_that_goes_on_where_it_broke(doors: Doors) -> None:
    database = doors.site.database
    _, page = await doors.ask("GET", "/brands/home/changes")
    start = page["next_seq"]
    at_home = FeedEntry("home", "note", "n1", "added", household="home")
    await database.write(lambda connection: announce(connection, "home", 1.0, [at_home]))
    await write(database, 1, 2)
    async with stream(doors, f"/brands/home/changes?after={start}&topics=command,twin") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        first = await events(answer, 2)
        await write(database, 3)
        third = await events(answer, 1)
    assert [each["data"]["n"] for _, each in (*first, *third)] == [1, 2, 3]
    async with stream(doors, "/brands/home/changes", **{"Last-Event-ID": str(first[0][0])}) as answer:
        assert [each["data"]["n"] for _, each in await events(answer, 2)] == [2, 3]
    _, page = await doors.ask("GET", f"/brands/home/changes?after={start}&limit=2")
    assert ([each["data"]["n"] for each in page["data"]], page["more"], page["gap"]) == ([1, 2], True, False)
    assert (await doors.ask("GET", "/brands/other/changes"))[0] == 404


async def test_a_reader_that_takes_nothing_is_cut_off_and_holds_up_nobody(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "SEND_S", 0.5)
    _, page = await doors.ask("GET", "/brands/home/changes?limit=200")
    start = page["next_seq"]
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", doors.site.port))
    ask = f"GET /api/v1/brands/home/changes?after={start} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
    await asyncio.get_running_loop().sock_sendall(raw, ask.encode())
    async with stream(doors, f"/brands/home/changes?after={start}") as quick:
        reading = asyncio.create_task(events(quick, 1_000))
        for number in range(0, 1_000, 10):
            await write(doors.site.database, *range(number, number + 10), size=10_000)
        assert [each["data"]["n"] for _, each in await reading] == list(range(1_000))
        async with asyncio.timeout(10):
            while len(doors.site.services.endless) > 1:
                await asyncio.wait(doors.site.services.endless, return_when=asyncio.FIRST_COMPLETED)
    raw.close()


async def test_a_stream_ends_when_its_key_is_revoked(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "CHECK_EVERY_S", 0.0)
    keys = doors.site.services.keys
    assert isinstance(keys, ApiKeys)
    token, record = await keys.add("reader", brand=HOME, role="viewer")
    async with stream(doors, "/brands/home/changes", token=token) as answer:
        assert answer.status == 200
        await keys.revoke(record.id)
        await write(doors.site.database, 1)
        async with asyncio.timeout(10):
            assert b"data" not in (await answer.content.read()).replace(b"metadata", b"")


async def test_webhooks_are_managed_with_etags_and_their_secret_is_shown_once(doors: Doors) -> None:
    path = "/brands/home/webhooks"
    status, made, headers = await doors.site.ask("POST", path, {"url": "http://127.0.0.1:1/x", "topics": ["twin"]})
    assert (status, made["secret"][:5]) == (201, "ents_")
    one = f"{path}/{made['webhook']['id']}"
    status, shown, headers = await doors.site.ask("GET", one)
    assert "secret" not in json.dumps(shown)
    status, _ = await doors.ask("PATCH", one, {"enabled": False}, headers={"If-Match": '"99"'})
    assert status == 412
    status, changed = await doors.ask("PATCH", one, {"enabled": False}, headers={"If-Match": headers["ETag"]})
    assert (status, changed["enabled"]) == (200, False)
    assert (await doors.ask("POST", f"{one}/test"))[1] == {"status": 0}
    assert (await doors.ask("POST", path, {"url": "http://10.0.0.1/"}))[0] == 400
    assert (await doors.ask("DELETE", one))[0] == 204
    assert (await doors.ask("GET", one))[0] == 404
