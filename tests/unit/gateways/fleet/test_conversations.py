"""Conversations as links: whatever protocol a device speaks, it is online, takes commands and follows its twin."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from entendre.core.actions import Action, CallDeviceTool, SetMuted, SetVolume
from entendre.core.errors import OfflineError
from entendre.gateways.fleet.conversations import APPLIED, ConversationLink, Conversations
from entendre.ports.changes import Interest
from entendre.ports.fleet_twins import TwinPatch

BRAND = "home"


class Speaker:
    """A conversation that does a few actions, and says when one was done."""

    def __init__(self) -> None:
        self.done: list[Action] = []
        self.acted = asyncio.Event()

    async def perform(self, action: Action) -> bool | str:
        self.done.append(action)
        self.acted.set()
        match action:
            case SetVolume() | SetMuted():
                return True
            case CallDeviceTool("self_led_set", _):
                return '{"lit": true}'
            case CallDeviceTool("hum", _):
                return "la la"
            case _:
                return False


@pytest.fixture
async def conversations(site: Any) -> AsyncIterator[Conversations]:
    async def brand_of(device: str) -> str | None:
        found = await site.registry.found(device)
        return found.brand if found is not None else None

    conversations = Conversations(site.links, site.commands, site.twins, brand_of)
    yield conversations
    await conversations.close()


async def heard(site: Any, topic: str, change: str, subject: str | None = None) -> None:
    following = site.feed.follow(Interest(topics=(topic,), subject=subject), 0)
    async with asyncio.timeout(5):
        async for news in following:
            if any(each.change == change for each in news.changes):
                break
    await following.aclose()


async def test_a_device_is_online_while_it_talks(site: Any, conversations: Conversations) -> None:
    device, _ = await site.device()
    left, left_too = (conversations.came(device, Speaker()) for _ in range(2))
    await heard(site, "presence", "online")
    await conversations.settle()
    left()
    await site.links.settle()
    assert (await site.registry.device(BRAND, device)).online
    left_too()
    await heard(site, "presence", "offline")
    with pytest.raises(OfflineError):
        await site.commands.direct(BRAND, device, "hum", None, by="t")


async def test_commands_are_its_actions_and_its_tools(site: Any, conversations: Conversations) -> None:
    device, _ = await site.device()
    speaker = Speaker()
    left = conversations.came(device, speaker)
    await heard(site, "presence", "online")

    async def asked(name: str, payload: Any) -> tuple[int | None, Any]:
        record = await site.commands.direct(BRAND, device, name, payload, by="t")
        return record.status, json.loads(record.result or "null")

    assert await asked("set_volume", {"percent": 30}) == (200, None)
    assert await asked("self.led.set", {"on": True}) == (200, {"lit": True})
    assert await asked("hum", None) == (200, "la la")
    assert (await asked("fly", {}))[0] == 404
    assert (await asked("set_volume", {"percent": 300}))[0] == 404
    assert (await asked("hum", [1]))[0] == 404
    assert speaker.done[:2] == [SetVolume(30), CallDeviceTool("self_led_set", '{"on": true}')]
    queued = await site.commands.queue(BRAND, device, "hum", {"n": 1}, by="t")
    await heard(site, "command", "done", queued.id)
    kept = await site.commands.get(BRAND, device, queued.id)
    assert (kept.state, kept.result) == ("done", '"la la"')
    left()


async def test_the_volume_of_the_twin_is_set_at_once_and_after_an_absence_but_not_again(
    site: Any, conversations: Conversations
) -> None:
    device, _ = await site.device()
    speaker = Speaker()
    left = conversations.came(device, speaker)
    await heard(site, "presence", "online")
    await site.twins.patch(TwinPatch(BRAND, device, "desired", {"volume": 20, "muted": False}), by="t")
    await heard(site, "twin.reported", "patched")
    assert speaker.done == [SetVolume(20), SetMuted(False)]
    left()
    change = await site.twins.patch(TwinPatch(BRAND, device, "desired", {"volume": 50}), by="t")
    again = Speaker()
    left = conversations.came(device, again)
    async with asyncio.timeout(5):
        while again.done != [SetVolume(50), SetMuted(False)]:
            again.acted.clear()
            await again.acted.wait()
    await conversations.settle()
    assert (await site.twins.get(BRAND, device)).reported[APPLIED] == change.version
    left()
    third = Speaker()
    left = conversations.came(device, third)
    await conversations.settle()
    assert third.done == []
    left()


@pytest.mark.parametrize("told_first", [True, False])
async def test_word_of_one_change_hides_none_that_was_made_before_it(
    site: Any, conversations: Conversations, told_first: bool
) -> None:
    device, _ = await site.device()
    await site.twins.patch(TwinPatch(BRAND, device, "desired", {"muted": True}), by="t")
    last = await site.twins.patch(TwinPatch(BRAND, device, "desired", {"volume": 50}), by="t")
    speaker = Speaker()
    link = ConversationLink(device, speaker, site.commands, site.twins, conversations.start)
    link.brand = BRAND
    if told_first:
        link.desired({"volume": 50}, last.version, replaces=False)
        await conversations.settle()
        await link.catch_up()
    else:
        caught_up = conversations.start(link.catch_up())
        await asyncio.sleep(0)
        link.desired({"volume": 50}, last.version, replaces=False)
        await caught_up
    await conversations.settle()
    assert speaker.done == [SetVolume(50), SetMuted(True)]
    assert (await site.twins.get(BRAND, device)).reported[APPLIED] == last.version
