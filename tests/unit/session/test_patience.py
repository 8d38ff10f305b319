"""What people are told while an answer takes longer than usual."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from parts import Home, ScriptedPlanner, Stage, loud, quiet

from entendre.core.errors import RecognitionError, SynthesisError
from entendre.core.plan import Plan, World
from entendre.core.understanding import Completeness as C
from entendre.core.understanding import Understanding
from entendre.session import api
from entendre.session.assistant import Limits

PLANS = {
    "turn on the lamp": (C.COMPLETE, Plan("Okay.")),
    "in silence": (C.COMPLETE, Plan("")),
}
FILLER = "phrase still_working"
"""Two words, which `ToneVoice` says in 0.2 s."""


@dataclass
class SlowPlanner(ScriptedPlanner):
    """Thinks for a while."""

    slow_s: float = 0.0

    async def plan(self, understanding: Understanding, world: World) -> Plan:
        await asyncio.sleep(self.slow_s)
        return await super().plan(understanding, world)


@asynccontextmanager
async def slow(
    hears_in_s: float = 6.0,
    *,
    thinks_s: float = 0.0,
    filler_after_s: float = 2.5,
    text: str = "turn on the lamp",
    **profile: object,
) -> AsyncIterator[Stage]:
    """A speaker whose recognizer, or planner, takes its time."""
    stage = Stage(PLANS, limits=Limits(filler_after_s=filler_after_s))
    stage.assistant = replace(stage.assistant, planner=SlowPlanner(PLANS, slow_s=thinks_s))
    stage.ears.delay_s, stage.ears.text = hears_in_s, text
    task = asyncio.create_task(stage.open(**{"takes_fillers": True, **profile}).run())
    try:
        yield stage
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await stage.assistant.keeper.close()


async def turn_of(stage: Stage, seconds: float = 0.6) -> api.TurnEnded:
    stage.talk.start_listening()
    await stage.stream(loud(seconds))
    await stage.stream(quiet(3.0))
    ended = await stage.link.until(api.TurnEnded, timeout_s=30)
    assert isinstance(ended, api.TurnEnded)
    return ended


async def test_a_slow_turn_says_so_once_and_then_answers() -> None:
    async with slow() as stage:
        ended = await turn_of(stage)
        await stage.link.until(api.ListeningEnded)
    assert ended.outcome is api.Outcome.ANSWERED
    assert [said.text for said in stage.link.of(api.ReplyStarted)] == [FILLER, "Okay."]
    assert [said.filler for said in stage.link.of(api.ReplyStarted)] == [True, False]
    assert stage.link.of(api.StillWorking) == [api.StillWorking(ended.turn, FILLER)]
    assert stage.link.names() == [
        "SpeechStarted", "SpeechStopped", "StillWorking", "ReplyStarted", "ReplyEnded",
        "TurnCommitted", "TurnUnderstood", "ReplyStarted", "ReplyEnded", "TurnEnded", "ListeningEnded",
    ]  # fmt: skip
    assert 2.5 <= ended.trace["still_working_s"] - ended.trace["speech_end_s"] < 3.2


async def test_a_quick_turn_says_nothing_more() -> None:
    async with slow(0.1) as stage:
        await turn_of(stage)
    assert [said.text for said in stage.link.of(api.ReplyStarted)] == ["Okay."]
    assert stage.link.of(api.StillWorking) == []


async def test_a_turn_that_is_understood_at_its_end_says_nothing_more() -> None:
    """The draft takes nearly as long as its silence may: the answer is there when the turn is over."""
    async with slow(2.7) as stage:
        await turn_of(stage)
    assert [said.text for said in stage.link.of(api.ReplyStarted)] == ["Okay."]
    assert stage.link.of(api.StillWorking) == []


async def test_never_is_never() -> None:
    async with slow(filler_after_s=0.0) as stage:
        await turn_of(stage)
    assert [said.text for said in stage.link.of(api.ReplyStarted)] == ["Okay."]
    assert stage.link.of(api.StillWorking) == []


async def test_where_nothing_can_be_said_before_the_answer_it_is_shown() -> None:
    async with slow(takes_fillers=False) as stage:
        await turn_of(stage)
    assert len(stage.link.of(api.StillWorking)) == 1
    assert [said.text for said in stage.link.of(api.ReplyStarted)] == ["Okay."]


async def test_nothing_is_said_of_a_noise() -> None:
    async with slow(text="") as stage:
        await turn_of(stage, seconds=0.2)
    assert stage.link.of(api.StillWorking) == []
    assert stage.link.of(api.ReplyStarted) == []


async def test_a_silence_that_was_pushed_is_nothing_either() -> None:
    async with slow(text="", mode=api.ListenMode.MANUAL) as stage:
        stage.talk.start_listening()
        await stage.stream(quiet(1.0))
        stage.talk.stop_listening()
        ended = await stage.link.until(api.TurnEnded, timeout_s=20)
    assert ended.outcome is api.Outcome.NOTHING_HEARD
    assert stage.link.of(api.StillWorking) == []


async def test_the_answer_waits_only_for_the_rest_of_the_filler() -> None:
    async with slow(3.4) as stage:  # heard 0.37 s after the filler began, of 0.2 s
        quick = (await turn_of(stage)).trace
    assert [said.text for said in stage.link.of(api.ReplyStarted)] == [FILLER, "Okay."]
    assert quick["first_audio_s"] - quick["understood_s"] < 0.2


async def test_a_filler_whose_sound_is_not_there_yet_is_not_said_before_an_answer() -> None:
    async with slow(3.4) as stage:
        stage.voice.slow_s = 2.0
        await turn_of(stage)
    assert stage.voice.said[0] == FILLER
    assert [said.text for said in stage.link.of(api.ReplyStarted)] == ["Okay."]


async def test_an_answer_without_words_lets_the_filler_end() -> None:
    async with slow(3.0, text="in silence") as stage:
        ended = await turn_of(stage)
    assert [done.interrupted for done in stage.link.of(api.ReplyEnded)] == [False]
    assert stage.link.names().index("ReplyEnded") < stage.link.names().index("TurnEnded")
    assert ended.outcome is api.Outcome.ANSWERED


async def test_a_long_thought_is_told_too_and_typed_requests_are_no_exception() -> None:
    async with slow(0.1, thinks_s=3.5) as stage:
        stage.talk.respond("turn on the lamp")
        ended = await stage.link.until(api.TurnEnded, timeout_s=10)
    assert [said.text for said in stage.link.of(api.ReplyStarted)] == [FILLER, "Okay."]
    assert stage.link.names().index("TurnCommitted") < stage.link.names().index("StillWorking")
    assert ended.trace["still_working_s"] - ended.trace["commit_s"] == pytest.approx(2.5, abs=0.1)


async def test_who_speaks_on_stops_it() -> None:
    async with slow(
        mode=api.ListenMode.CONTINUOUS, listens_while_speaking=True, cancels_echo=True, text="turn on the lamp"
    ) as stage:
        await stage.stream(loud(0.6))
        await stage.stream(quiet(2.8))
        await stage.link.until(api.StillWorking, timeout_s=5)
        stage.ears.delay_s = 0.05
        await stage.stream(loud(0.6))
        await stage.stream(quiet(1.0))
        await stage.turn_over(2)
    outcomes = [ended.outcome for ended in stage.link.of(api.TurnEnded)]
    assert outcomes == [api.Outcome.INTERRUPTED, api.Outcome.ANSWERED]
    assert len(stage.link.of(api.StillWorking)) == 1
    begun, ended = stage.link.of(api.ReplyStarted), stage.link.of(api.ReplyEnded)
    assert [each.reply for each in begun] == [each.reply for each in ended], "what began has ended"


async def test_cancelling_stops_it() -> None:
    async with slow() as stage:
        stage.talk.start_listening()
        await stage.stream(loud(0.6) + quiet(2.6))
        stage.talk.cancel_reply()
        ended = await stage.link.until(api.TurnEnded)
        await asyncio.sleep(10)
    assert ended.outcome is api.Outcome.CANCELLED
    assert stage.link.of(api.StillWorking) == []


async def test_a_failure_ends_it_first() -> None:
    async with slow() as stage:
        stage.ears.error = RecognitionError("broken")
        ended = await turn_of(stage)
    assert ended.outcome is api.Outcome.FAILED
    assert len(stage.link.of(api.StillWorking)) == 1
    names = stage.link.names()
    assert names.index("ReplyEnded") < names.index("TurnFailed")


async def test_a_voice_that_fails_costs_the_filler_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with slow() as stage:
        synthesize = stage.voice.synthesize

        def failing(text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
            if text == FILLER:
                raise SynthesisError("no voice")
            return synthesize(text, language=language, speed=speed)

        monkeypatch.setattr(stage.voice, "synthesize", failing)
        ended = await turn_of(stage)
    assert ended.outcome is api.Outcome.ANSWERED
    assert [said.text for said in stage.link.of(api.ReplyStarted)] == ["Okay."]


@pytest.mark.parametrize("together", [True, False])
async def test_of_speakers_that_were_woken_together_none_says_it(together: bool) -> None:
    plans = {"turn on the lamp": (C.COMPLETE, Plan("Okay."))}
    async with Home(plans, {8000: "turn on the lamp", 4000: "turn on the lamp"}) as home:
        home.ears.delays_s = {8000: 6.0, 4000: 6.0}
        near = await home.speaker("near", takes_fillers=True)
        far = await home.speaker("far", 4000, takes_fillers=True)
        heard = [near.hear()] + ([far.hear(after_s=0.2)] if together else [])
        await asyncio.gather(*heard)
        await asyncio.sleep(12)
    said = near.said() + far.said()
    assert said.count(FILLER) == (0 if together else 1)
    assert said.count("Okay.") == 1
