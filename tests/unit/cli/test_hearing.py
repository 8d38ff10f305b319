"""What `hear` keeps of a conversation, and how it prints it."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from entendre.cli.hearing import HeardTurn, hear
from entendre.cli.show import BAR_CHARS, misheard_lines, timeline_lines, turn_lines
from entendre.core.actions import SetVolume, StartTimer
from entendre.core.document import document_of
from entendre.core.plan import Plan
from entendre.core.understanding import Command, Completeness, Understanding
from entendre.session import api

TRACE = {"speech_start_s": 0.2, "speech_end_s": 1.5, "draft_s": 1.7, "commit_s": 1.8, "first_audio_s": 1.82}
UNDERSTOOD = Understanding(
    "set a timer for ten minutes",
    "en",
    (Command("StartTimer", {"seconds": 600}, 0.97),),
    Completeness.EXTENDABLE,
    0.97,
)
PLAN = Plan("Ten minutes.", (StartTimer(600),))


async def deliver_a_turn(link: api.DeviceLink) -> None:
    for event in (
        api.SpeechStarted("t", 0.2),
        api.PartialHeard("t", "set a"),
        api.PartialHeard("t", "set a timer for ten minutes"),
        api.PartialHeard("t", "set a timer for ten minutes"),
        api.TurnCommitted("t", "set a timer for ten minutes", "en"),
        api.TurnUnderstood("t", UNDERSTOOD, PLAN),
        api.ReplyStarted("r", "t", "Ten minutes.", 24_000),
        api.ReplyAudio("r", b"\x01\x00" * 10),
        api.TurnEnded("t", api.Outcome.ANSWERED, TRACE),
        api.ReplyEnded("r", "t", 0.1),
    ):
        await link.deliver(event)


class Conversation:
    """A conversation that answers once it has heard a second of sound."""

    def __init__(self, link: api.DeviceLink) -> None:
        self.link = link
        self.heard = bytearray()
        self.enough = asyncio.Event()
        self.closed = False

    async def run(self) -> None:
        await self.enough.wait()
        await deliver_a_turn(self.link)
        await asyncio.Event().wait()

    def start_listening(self, mode: api.ListenMode | None = None) -> None:
        assert mode is api.ListenMode.AUTO

    def hear(self, pcm16: bytes) -> None:
        self.heard += pcm16
        if len(self.heard) >= 32_000:
            self.enough.set()

    def close(self) -> None:
        self.closed = True


class Factory:
    def __init__(self) -> None:
        self.opened: list[tuple[api.DeviceProfile, Conversation]] = []

    def open(self, profile: api.DeviceProfile, link: api.DeviceLink) -> Conversation:
        self.opened.append((profile, Conversation(link)))
        return self.opened[-1][1]


async def test_a_turn_is_printed_as_documented() -> None:
    turn = HeardTurn()
    await deliver_a_turn(turn)
    assert turn.over.is_set()
    document = turn.document("en")
    assert document["intent"] == "StartTimer"
    assert document["slots"] == {"seconds": 600}
    assert document["completeness"] == "extendable"
    assert document["plan"]["actions"] == [{"type": "start_timer", "seconds": 600}]
    assert document.items() > document_of(UNDERSTOOD, PLAN).items()
    assert document["transcript"] == "set a timer for ten minutes"
    assert document["drafts"] == ["set a", "set a timer for ten minutes"]
    assert document["timeline"] == {
        "speech_end_s": 1.5,
        "draft_s": 1.7,
        "commit_s": 1.8,
        "understood_s": None,
        "first_audio_s": 1.82,
    }
    assert bytes(turn.reply_pcm16) == b"\x01\x00" * 10


async def test_noise_before_the_speech_does_not_end_the_wait() -> None:
    turn = HeardTurn()
    await turn.deliver(api.TurnEnded("n", api.Outcome.NOTHING_HEARD, {}))
    assert not turn.over.is_set()
    assert turn.document("pt")["outcome"] == "no_turn"
    assert turn.document("pt")["language"] == "pt"
    await turn.deliver(api.ListeningEnded("no_speech"))
    assert turn.over.is_set()


async def test_device_actions_are_performed() -> None:
    turn = HeardTurn()
    assert await turn.perform(SetVolume(30))
    assert turn.performed == [SetVolume(30)]


async def test_a_recording_is_sent_at_its_own_speed_and_the_conversation_closed() -> None:
    factory = Factory()
    started = asyncio.get_running_loop().time()
    turn = await hear(factory, np.ones(16_000, dtype=np.int16), api.DeviceProfile("d"))
    assert asyncio.get_running_loop().time() - started == pytest.approx(1.0, abs=0.2)
    profile, conversation = factory.opened[0]
    assert profile.reply_lead_s < 1
    assert conversation.closed
    assert turn.transcript


async def test_fast_sends_at_once_and_waits_for_no_player() -> None:
    factory = Factory()
    started = asyncio.get_running_loop().time()
    await hear(factory, np.ones(32_000, dtype=np.int16), api.DeviceProfile("d"), fast=True)
    assert asyncio.get_running_loop().time() - started < 0.5
    assert factory.opened[0][0].reply_lead_s > 60


async def test_the_terminal_shows_words_meaning_action_and_time() -> None:
    turn = HeardTurn()
    await deliver_a_turn(turn)
    shown = "\n".join(turn_lines("a.wav", turn, 2.0))
    for part in ("a.wav", "set a timer for ten minutes", "StartTimer", "start_timer seconds=600", "Ten minutes."):
        assert part in shown
    assert "reply began +320 ms" in shown


def test_a_timeline_is_as_wide_as_promised_whatever_is_missing() -> None:
    for trace in (TRACE, {"speech_end_s": 3.0}, TRACE | {"first_audio_s": 9.0}, TRACE | {"speech_end_s": 0.0}):
        bar = timeline_lines(trace, 2.0)[0].split("│")[1]
        assert len(bar) == BAR_CHARS
    assert timeline_lines({}, 2.0) == []


def test_stages_are_told_in_the_order_in_which_they_came_within_the_width_of_a_terminal() -> None:
    late = {"speech_end_s": 1.0, "commit_s": 3.5, "draft_s": 5.9, "understood_s": 6.0, "first_audio_s": 10.8}
    bar, stages = timeline_lines(late, 2.0)
    assert " ".join(stages.split()) == "committed +2500 ms words +4900 ms understood +5000 ms reply began +9800 ms"
    assert max(len(bar), len(stages)) <= 100


def test_what_was_misheard_shows_its_words_and_no_meaning() -> None:
    turn = HeardTurn(transcript="turn it up")
    assert "turn it up" in misheard_lines("a voice", turn)[1]
    assert "as text" in misheard_lines("a voice", turn)[2]


async def test_what_was_typed_shows_how_long_it_took() -> None:
    turn = HeardTurn()
    await deliver_a_turn(turn)
    assert set(turn.waited_s) == {"understood", "first_audio"}
    assert turn_lines("text", turn, 0.0)[-1].split()[:2] == ["time", "understood"]
