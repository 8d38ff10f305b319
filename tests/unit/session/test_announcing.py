"""Announcements in a home of several speakers, in virtual time."""

from __future__ import annotations

import asyncio

import pytest
from parts import Home, HomeSpeaker

from entendre.core.actions import Broadcast, StopRinging
from entendre.core.errors import OverloadedError
from entendre.core.plan import Plan
from entendre.core.understanding import Completeness as C
from entendre.session.announcing import Announcement, Audience, Waiting
from entendre.session.api import ListenMode, ReplyEnded, ReplyStarted, RingStopped, SpeechStarted
from entendre.session.hub import RingRequest

PLANS = {
    "tell everyone": (C.COMPLETE, Plan("I've told them.", (Broadcast("dinner"),))),
    "tell the hall": (C.COMPLETE, Plan("I've told the hall.", (Broadcast("come down", "hall"),))),
    "tell me": (C.COMPLETE, Plan(" ".join(["word"] * 20))),
    "stop": (C.COMPLETE, Plan("", (StopRinging(),))),
}
EVERYBODY = Audience()


def home(words: str = "tell me") -> Home:
    return Home(PLANS, {8000: words})


async def test_a_broadcast_is_said_on_every_other_speaker_and_one_to_a_room_in_that_room() -> None:
    async with home("tell everyone") as here:
        kitchen, hall, attic = [await here.speaker(name) for name in ("kitchen", "hall", "attic")]
        await kitchen.hear()
        here.ears.texts[8000] = "tell the hall"
        await kitchen.hear()
        await asyncio.sleep(1)
    assert kitchen.said() == ["I've told them.", "I've told the hall."]
    assert (hall.said(), attic.said()) == (["dinner", "come down"], ["dinner"])


async def test_it_waits_until_a_person_has_spoken_and_was_answered() -> None:
    async with home() as here:
        kitchen = await here.speaker("kitchen")
        talking = asyncio.create_task(kitchen.hear(seconds=1.5))
        await kitchen.link.until(SpeechStarted)
        here.hub.announce(Announcement("dinner"), EVERYBODY)
        await talking
        await kitchen.link.until(ReplyEnded, 2, timeout_s=20)
    assert kitchen.said() == [PLANS["tell me"][1].reply, "dinner"]
    first, second = kitchen.link.of(ReplyEnded)
    assert not first.interrupted and not second.interrupted


async def test_a_conversation_that_stands_in_announces_what_its_devices_other_does_not() -> None:
    async with home() as here:
        standing = await here.speaker("kitchen", stands_in=True)
        talking = await here.speaker("kitchen", mode=ListenMode.AUTO, wake_words=())
        here.hub.announce(Announcement("dinner"), EVERYBODY)
        await talking.link.until(ReplyEnded)
        talking.talk.start_listening()
        await asyncio.sleep(0.1)
        taken = here.hub.announce(Announcement("the door is open"), EVERYBODY)
        assert [each.device for each in taken] == ["kitchen"]
        talking.talk.close()
        await standing.link.until(ReplyEnded)
    assert (talking.said(), standing.said()) == (["dinner"], ["the door is open"])


async def test_a_ring_goes_to_another_conversation_of_its_device_and_comes_back_to_the_one_that_stands_in() -> None:
    async with home() as here:
        standing = await here.speaker("kitchen", stands_in=True)
        here.hub.ring(RingRequest("r1", "timer", "pasta", "Pasta.", "kitchen"))
        await standing.link.until(ReplyEnded)
        talking = await here.speaker("kitchen")
        await standing.link.until(RingStopped)
        await talking.link.until(ReplyEnded)
        assert here.hub.rings_on("kitchen") == {"r1"}
        assert standing.said() == ["Pasta."]
        talking.talk.close()
        await standing.link.until(ReplyEnded, 2)
        here.hub.stop_ring("r1")
        here.hub.announce(Announcement("dinner"), EVERYBODY)
        await standing.link.until(ReplyEnded, 3, timeout_s=1)
    assert standing.said() == ["Pasta.", "Pasta.", "dinner"], "it has no microphone that would have to close first"


async def test_it_does_not_talk_into_a_microphone_that_was_opened_for_somebody() -> None:
    async with home() as here:
        kitchen = await here.speaker("kitchen", mode=ListenMode.AUTO, wake_words=())
        kitchen.talk.start_listening()
        await asyncio.sleep(0.1)
        here.hub.announce(Announcement("dinner"), EVERYBODY)
        await asyncio.sleep(1)
        assert kitchen.said() == []
        await kitchen.hear(wake=False)
        await kitchen.link.until(ReplyEnded, 2, timeout_s=20)
    assert kitchen.said()[-1] == "dinner"


async def test_it_waits_for_what_rings_and_is_not_said_when_it_is_too_late() -> None:
    async with home("stop") as here:
        kitchen, hall = await here.speaker("kitchen"), await here.speaker("hall")
        kitchen.talk.ring("r1", "alarm", None, "Wake up.")
        await asyncio.sleep(0.1)
        here.hub.announce(Announcement("cold dinner", within_s=8), EVERYBODY)
        here.hub.announce(Announcement("dinner", within_s=60), EVERYBODY)
        await asyncio.sleep(20)
        assert "dinner" not in kitchen.said(), "the alarm goes on"
        assert hall.said() == ["cold dinner", "dinner"]
        kitchen.talk.stop_ring("r1")
        await kitchen.link.until(RingStopped)
        await asyncio.sleep(8)
        assert kitchen.said()[-1] == "dinner"
        assert "cold dinner" not in kitchen.said()


async def test_what_begins_to_ring_comes_before_announcements_that_wait() -> None:
    async with home() as here:
        kitchen = await here.speaker("kitchen")
        kitchen.talk.respond("tell me")
        await kitchen.link.until(ReplyStarted)
        here.hub.announce(Announcement("dinner"), EVERYBODY)
        kitchen.talk.ring("r1", "timer", None, "Pasta.")
        await kitchen.link.until(ReplyStarted, 2, timeout_s=20)
        assert kitchen.said()[1] == "Pasta."


async def test_whom_it_is_for() -> None:
    async with home() as here:
        await here.speaker("kitchen")
        await here.speaker("second", room="kitchen")
        await here.speaker("nowhere", room=None)

        def taken(audience: Audience) -> list[str]:
            return sorted(speaker.device for speaker in here.hub.announce(Announcement("x"), audience))

        assert taken(EVERYBODY) == ["kitchen", "nowhere", "second"]
        assert taken(Audience(room="kitchen")) == ["kitchen", "second"]
        assert taken(Audience(device="nowhere")) == ["nowhere"]
        assert taken(Audience(besides="kitchen")) == ["nowhere", "second"]
        assert taken(Audience(room="attic")) == taken(Audience(device="toaster")) == []


async def test_a_speaker_that_has_too_much_to_say_refuses() -> None:
    async with home() as here:
        speakers: list[HomeSpeaker] = [await here.speaker("kitchen")]
        speakers[0].link.stuck = True
        here.hub.announce(Announcement("being said"), EVERYBODY)
        await asyncio.sleep(0.1)
        limit = here.stage.assistant.limits.announcements
        with pytest.raises(OverloadedError):
            for _ in range(limit + 1):
                here.hub.announce(Announcement("x"), EVERYBODY)
        await here.speaker("hall")
        assert [each.device for each in here.hub.announce(Announcement("x"), EVERYBODY)] == ["hall"]


def test_urgent_ones_go_first_in_the_order_they_came() -> None:
    waiting = Waiting(8)
    for text, urgent in (("a", False), ("b", True), ("c", False), ("d", True)):
        waiting.add(Announcement(text, urgent=urgent), 0.0)
    assert [waiting.take().text for _ in range(4)] == ["b", "d", "a", "c"]
    assert not waiting.due(0.0)
