"""A device's side of a conversation: what it asks for, what it is asked, and what waits for whom."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from entendre.core.errors import EntendreError, NotFoundError, OfflineError, OverloadedError
from entendre.gateways.fleet.conversations import Conversations
from entendre.gateways.fleet.realtime import MAX_NEWS, MAX_REQUESTS, FleetRealtime, RealtimeLink
from entendre.ports.fleet_twins import TwinPatch
from entendre.wire import fleet_messages as wire
from entendre.wire.realtime_fleet import COMMAND, DESIRED

BRAND = "home"
Shown = tuple[str, dict[str, Any]]


class Client:
    """A connection that notes what it is to send, and takes nothing while it is held."""

    def __init__(self) -> None:
        self.shown: asyncio.Queue[Shown] = asyncio.Queue()
        self.ended: list[str] = []
        self.open = True
        self.left = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()

    async def show(self, name: str, body: Mapping[str, Any]) -> bool:
        await self.free.wait()
        self.shown.put_nowait((name, dict(body)))
        return self.open

    async def refuse(self, error: EntendreError, event_id: str | None) -> None:
        self.shown.put_nowait(("error", {"code": error.code, "event_id": event_id}))

    def end(self, reason: str) -> None:
        self.ended.append(reason)
        self.left.set()

    async def next(self) -> Shown:
        async with asyncio.timeout(5):
            return await self.shown.get()


class Desk:
    """Answers when it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.broke = asyncio.Event()
        self.breaks = False

    async def follow(self, who: Any, request: wire.DeviceRequest) -> dict[str, Any]:
        if self.breaks:
            self.broke.set()
            raise RuntimeError("a fault")
        await self.may.wait()
        return {}


@asynccontextmanager
async def connected(site: Any, device: str, *include: str, desk: Any = None) -> AsyncIterator[tuple[Client, Any]]:
    client = Client()
    link = FleetRealtime(site.logins, desk or site.desk, site.links).connected(device, BRAND, client)
    link.opted(include)
    try:
        yield client, link
    finally:
        await link.gone()


async def answer(client: Client, link: RealtimeLink, result: Any, event_id: str | None = None) -> dict[str, Any]:
    """The next command, which is answered."""
    name, body = await client.next()
    assert name == "command"
    link.received(wire.CommandAnswered(body["id"], 200, result), event_id)
    return body


async def test_twin_and_telemetry_are_asked_for_and_kept(site: Any) -> None:
    device, _ = await site.device()
    await site.twins.patch(TwinPatch(BRAND, device, "desired", {"volume": 20}), by="t")
    async with connected(site, device) as (client, link):
        link.received(wire.TwinReported({"volume": 20}, "r1"), "e1")
        link.received(wire.TwinAsked(), "e2")
        link.received(wire.TelemetrySent((wire.Measured({"t": 1}, "m1"), wire.Measured({"t": 2}, "m2"))), None)
        assert await client.next() == ("twin.reported", {"request": "r1", "version": 2})
        name, twin = await client.next()
        assert (name, twin["request"], twin["desired"], twin["reported"]) == (
            "twin",
            "e2",
            {"volume": 20},
            {"volume": 20},
        )
        assert await client.next() == ("telemetry.kept", {"request": None, "kept": 2})
        assert len(await site.rows_of(device)) == 2


async def test_commands_go_to_the_link_that_knows_ids_and_not_to_its_tools(site: Any) -> None:
    class Toolless:
        async def perform(self, action: Any) -> bool | str:
            raise AssertionError("the tools were asked")

    async def brand_of(device: str) -> str | None:
        return BRAND

    device, _ = await site.device()
    conversations = Conversations(site.links, site.commands, site.twins, brand_of)
    queued = await site.commands.queue(BRAND, device, "blink", {"n": 1}, by="t")
    async with connected(site, device, COMMAND) as (client, link):
        left = conversations.came(device, Toolless())  # newer, and yet behind
        await conversations.settle()
        asked = await answer(client, link, "ok", "e9")
        assert (asked["id"], asked["name"], asked["payload"], asked["mode"]) == (queued.id, "blink", {"n": 1}, "queued")
        assert await client.next() == ("command.kept", {"id": queued.id, "request": "e9"})
        assert (await site.commands.get(BRAND, device, queued.id)).state == "done"
        direct = asyncio.create_task(site.commands.direct(BRAND, device, "beep", None, timeout_s=3, by="t"))
        asked = await answer(client, link, {"beeped": True})
        assert (asked["mode"], asked["timeout_s"]) == ("direct", 3)
        assert json.loads((await direct).result or "") == {"beeped": True}
        link.received(wire.CommandAnswered("nothing", 200), "e10")
        assert await client.next() == ("error", {"code": NotFoundError.code, "event_id": "e10"})
        left()
    await conversations.close()


async def test_without_opting_in_nothing_comes_unasked(site: Any) -> None:
    device, _ = await site.device()
    async with connected(site, device, "entendre.turn") as (client, link):
        assert site.links.link(device) is None
        assert site.links.devices == ()
        link.opted([DESIRED])
        assert site.links.devices == (device,)
        with pytest.raises(OfflineError):
            await site.commands.direct(BRAND, device, "beep", None, by="t")
        await site.twins.patch(TwinPatch(BRAND, device, "desired", {"volume": 20}), by="t")
        assert await client.next() == ("twin.desired", {"patch": {"volume": 20}, "version": 2})
        link.opted([COMMAND])
        await site.twins.patch(TwinPatch(BRAND, device, "desired", {"volume": 30}), by="t")
        link.opted([COMMAND, DESIRED])
        link.opted([DESIRED, COMMAND])
        assert site.links.link(device) is link
        link.desired({"volume": 50}, 9, replaces=True)
        shown = [await client.next()]
        while shown[-1][1]["version"] < 9:
            shown.append(await client.next())
        assert shown[-1] == ("twin.desired", {"replaced": {"volume": 50}, "version": 9})
        link.opted([])
        assert site.links.devices == ()


async def test_a_newer_conversation_takes_the_place_of_the_older(site: Any) -> None:
    device, _ = await site.device()
    async with connected(site, device, COMMAND) as (old, _), connected(site, device, COMMAND) as (_, new):
        assert old.ended == ["replaced"]
        assert site.links.link(device) is new


async def test_a_revoked_device_is_sent_away_whether_it_opted_in_or_not(site: Any) -> None:
    device, _ = await site.device()
    async with connected(site, device) as (client, _):
        await site.registry.revoke(BRAND, device, by="t")
        async with asyncio.timeout(5):
            await client.left.wait()
        assert client.ended == ["revoked"]


async def test_whoever_waits_is_told_when_the_connection_breaks(site: Any) -> None:
    device, _ = await site.device()
    async with connected(site, device, COMMAND) as (client, link):
        waiting = asyncio.create_task(link.call("c1", "beep", None, 5.0))
        await client.next()
        client.open = False
        with pytest.raises(OfflineError):
            await link.call("c2", "beep", None, 5.0)
    with pytest.raises(OfflineError):
        await waiting


async def test_requests_wait_in_order_and_not_without_end(site: Any) -> None:
    device, _ = await site.device()
    desk = Desk()
    async with connected(site, device, desk=desk) as (client, link):
        for number in range(MAX_REQUESTS):
            link.received(wire.TwinAsked(str(number)), None)
        with pytest.raises(OverloadedError):
            link.received(wire.TwinAsked("more"), None)
        desk.may.set()
        assert [(await client.next())[1]["request"] for _ in range(MAX_REQUESTS)] == [
            str(number) for number in range(MAX_REQUESTS)
        ]
        desk.breaks = True
        link.received(wire.TwinAsked("breaks"), None)
        async with asyncio.timeout(5):
            await desk.broke.wait()
        desk.breaks = False
        link.received(wire.TwinAsked("goes on"), None)
        assert (await client.next())[1]["request"] == "goes on"


async def test_a_device_that_lets_too_many_changes_wait_has_to_come_again(site: Any) -> None:
    device, _ = await site.device()
    async with connected(site, device, DESIRED) as (client, link):
        client.free.clear()
        for version in range(MAX_NEWS):
            link.desired({}, version, replaces=False)
        assert client.ended == []
        link.desired({}, MAX_NEWS, replaces=False)
        assert client.ended == ["too_slow"]
