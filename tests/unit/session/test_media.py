"""Media beside a conversation: it makes way for people, replies, rings and announcements, and goes on after."""

from __future__ import annotations

import asyncio
from typing import Any

from parts import Home, HomeSpeaker, Stations

from entendre.core.actions import ControlMedia, StopSpeaking
from entendre.core.plan import Plan
from entendre.core.understanding import Completeness as C
from entendre.session.announcing import Announcement, Audience
from entendre.session.api import ListenMode, ReplyAudio, ReplyEnded, ReplyStarted, TurnEnded
from entendre.session.media import KEEP_OPEN_S

JAZZ = "http://radio.test/jazz"
PLANS = {
    "play jazz": (C.COMPLETE, Plan("Playing jazz.", (ControlMedia("play", "Jazz FM", url=JAZZ),))),
    "play nothing known": (C.COMPLETE, Plan("", (ControlMedia("play", "the lottery"),))),
    "pause": (C.COMPLETE, Plan("Paused.", (ControlMedia("pause"),))),
    "resume": (C.COMPLETE, Plan("", (ControlMedia("resume"),))),
    "stop the music": (C.COMPLETE, Plan("", (ControlMedia("stop"),))),
    "stop": (C.COMPLETE, Plan("", (StopSpeaking(),))),
    "what time is it": (C.COMPLETE, Plan("Noon.")),
}


class Radio:
    """A home with one speaker that plays."""

    def __init__(self, words: str = "what time is it", **stations: Any) -> None:
        self.stations = Stations(**stations)
        self.home = Home(PLANS, {8000: words}, media=self.stations)
        self.kitchen: HomeSpeaker

    async def __aenter__(self) -> Radio:
        self.kitchen = await self.home.speaker("kitchen")
        self.kitchen.link.answer = False
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.home.__aexit__(*error)

    async def ask(self, text: str) -> None:
        before = len(self.kitchen.link.of(TurnEnded))
        self.kitchen.talk.respond(text)
        await self.kitchen.link.until(TurnEnded, before + 1, timeout_s=30)
        await asyncio.sleep(0.5)

    def sounds(self) -> bool:
        """Whether the station sounds right now."""
        started, ended = self.kitchen.link.of(ReplyStarted), self.kitchen.link.of(ReplyEnded)
        return bool(started) and started[-1].text == "Jazz FM" and len(ended) < len(started)

    def sent_s(self) -> float:
        """How much of the station was sent."""
        ids = {event.reply for event in self.kitchen.link.of(ReplyStarted) if event.text == "Jazz FM"}
        return sum(len(e.pcm) for e in self.kitchen.link.of(ReplyAudio) if e.reply in ids) / 48_000


async def test_a_station_plays_after_the_reply_paced_until_it_is_stopped() -> None:
    async with Radio() as radio:
        await radio.ask("play jazz")
        await asyncio.sleep(10)
        assert radio.kitchen.said() == ["Playing jazz.", "Jazz FM"]
        assert 9 < radio.sent_s() < 11.5, "in real time, a little ahead"
        await radio.ask("stop the music")
        await asyncio.sleep(5)
        assert not radio.sounds()
    assert radio.stations.opened == [(JAZZ, 0.0)]
    assert radio.stations.closed == 1


async def test_it_makes_way_for_who_speaks_to_it_and_goes_on_after_the_answer() -> None:
    async with Radio() as radio:
        await radio.ask("play jazz")
        hearing = asyncio.create_task(radio.kitchen.hear())
        await asyncio.sleep(0.3)
        assert not radio.sounds(), "it is silent as soon as the wake word was heard"
        await hearing
        await asyncio.sleep(3)
        assert radio.sounds()
        assert radio.kitchen.said() == ["Playing jazz.", "Jazz FM", "Noon.", "Jazz FM"]


async def test_a_wake_word_that_nobody_follows_up_lets_it_go_on() -> None:
    async with Radio("") as radio:
        await radio.ask("play jazz")
        await radio.kitchen.hear(seconds=0.0)
        assert not radio.sounds()
        await asyncio.sleep(8)
        assert radio.sounds()


async def test_stop_ends_it_for_good() -> None:
    async with Radio("stop") as radio:
        await radio.ask("play jazz")
        await radio.kitchen.hear()
        await asyncio.sleep(10)
        assert not radio.sounds()
        await radio.ask("resume")
        assert radio.kitchen.said()[-1] == "phrase nothing_plays"


async def test_it_is_paused_and_goes_on_where_it_was() -> None:
    async with Radio(lasts_s={JAZZ: 100.0}) as radio:
        await radio.ask("play jazz")
        await asyncio.sleep(5)
        await radio.ask("pause")
        await asyncio.sleep(KEEP_OPEN_S + 5)
        assert not radio.sounds()
        assert radio.stations.closed == 1, "a long pause lets go of the stream"
        await radio.ask("resume")
        assert radio.sounds()
        [_, (url, from_s)] = radio.stations.opened
        assert url == JAZZ and 4.5 < from_s < 7.5


async def test_a_hand_on_the_button_silences_it_until_after_the_next_turn() -> None:
    async with Radio() as radio:
        await radio.ask("play jazz")
        radio.kitchen.talk.cancel_reply()
        await asyncio.sleep(10)
        assert not radio.sounds()
        await radio.kitchen.hear()
        await asyncio.sleep(3)
        assert radio.sounds()


async def test_rings_and_announcements_interrupt_it() -> None:
    async with Radio() as radio:
        await radio.ask("play jazz")
        radio.home.hub.announce(Announcement("dinner"), Audience())
        await asyncio.sleep(2)
        assert radio.kitchen.said()[2:] == ["dinner", "Jazz FM"]
        radio.kitchen.talk.ring("r1", "timer", None, "Pasta.")
        await asyncio.sleep(12)
        assert not radio.sounds(), "it waits for what rings"
        assert radio.kitchen.said()[4] == "Pasta."
        radio.kitchen.talk.stop_ring("r1")
        await asyncio.sleep(10)
        assert radio.sounds()


async def test_push_to_talk_is_heard_over_it() -> None:
    for interrupts in (True, False):
        async with Radio() as radio:
            kitchen = await radio.home.speaker("hall", mode=ListenMode.MANUAL, wake_words=())
            kitchen.link.answer = False
            kitchen.talk.respond("play jazz")
            await kitchen.link.until(ReplyStarted, 2)
            await asyncio.sleep(2)
            kitchen.talk.start_listening(ListenMode.MANUAL, interrupts=interrupts)
            await kitchen.hear(wake=False)
            kitchen.talk.stop_listening()
            await kitchen.link.until(TurnEnded, 2, timeout_s=20)
            await asyncio.sleep(1)
            assert kitchen.said()[2:] == ["Noon.", "Jazz FM"]


async def test_a_file_ends_and_a_broken_stream_says_so() -> None:
    async with Radio(lasts_s={JAZZ: 3.0}) as radio:
        await radio.ask("play jazz")
        await asyncio.sleep(10)
        assert not radio.sounds()
        await radio.ask("pause")
        assert radio.kitchen.said()[-1] == "phrase nothing_plays"
    for broken_after_s in (0.0, 2.0):
        async with Radio(broken_after_s=broken_after_s) as radio:
            await radio.ask("play jazz")
            await asyncio.sleep(10)
            assert radio.kitchen.said()[-1] == "phrase media_failed"
            assert [event.reply for event in radio.kitchen.link.of(ReplyStarted)] == [
                event.reply for event in radio.kitchen.link.of(ReplyEnded)
            ]


async def test_what_nobody_knows_how_to_play_starts_nothing() -> None:
    async with Radio() as radio:
        await radio.ask("play nothing known")
        await asyncio.sleep(5)
        assert radio.kitchen.said() == ["phrase unknown_media"]
        assert radio.stations.opened == []


async def test_a_device_that_plays_by_itself_does() -> None:
    async with Radio() as radio:
        radio.kitchen.link.answer = True
        for text in ("play jazz", "pause", "resume", "stop the music", "what time is it"):
            await radio.ask(text)
        commands = [action.command for action in radio.kitchen.link.performed]
        assert commands == ["play", "pause", "resume", "stop"]
        assert radio.kitchen.link.performed[0] == ControlMedia("play", "Jazz FM", url=JAZZ)
        assert radio.stations.opened == []
        shown = [(world.device.media, world.device.playing) for world in radio.home.stage.planner.worlds]
        assert shown == [(None, False), ("Jazz FM", True), ("Jazz FM", False), ("Jazz FM", True), (None, False)]


async def test_a_connection_that_ends_lets_go_of_the_stream() -> None:
    async with Radio() as radio:
        await radio.ask("play jazz")
    await asyncio.sleep(0)
    assert radio.stations.closed == 1


async def test_a_room_is_told_to_play_and_to_stop_from_another() -> None:
    everywhere = {
        "play upstairs": (C.COMPLETE, Plan("OK.", (ControlMedia("play", "Jazz FM", url=JAZZ, room="bedroom"),))),
        "stop upstairs": (C.COMPLETE, Plan("OK.", (ControlMedia("stop", room="bedroom"),))),
        "stop everywhere": (C.COMPLETE, Plan("OK.", (ControlMedia("stop", room="everywhere"),))),
        "play nowhere": (C.COMPLETE, Plan("OK.", (ControlMedia("play", "Jazz FM", url=JAZZ, room="attic"),))),
    }
    async with Radio() as radio:
        radio.home.stage.planner.plans.update(everywhere)
        bedroom = await radio.home.speaker("bedroom")
        bedroom.link.answer = False
        await radio.ask("play upstairs")
        await asyncio.sleep(2)
        assert (radio.kitchen.said(), bedroom.said()) == (["OK."], ["Jazz FM"])
        await radio.ask("stop upstairs")
        await bedroom.link.until(ReplyEnded)
        await asyncio.sleep(5)
        assert len(bedroom.said()) == 1
        await radio.ask("play jazz")
        await radio.ask("play upstairs")
        await asyncio.sleep(1)
        assert radio.kitchen.said()[-1] == bedroom.said()[-1] == "Jazz FM"
        await radio.ask("stop everywhere")
        await asyncio.sleep(5)
        assert radio.stations.closed == len(radio.stations.opened) == 3
        await radio.ask("play nowhere")
        assert radio.kitchen.said()[-1] == "phrase action_failed"
