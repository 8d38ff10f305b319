from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from parts import PatternWakeWord, Recorder, Stage, ToneVoice, loud, quiet

from entendre.core.actions import AddItem, Broadcast, CallDeviceTool, SetTrait, SetVolume, StopSpeaking, Trait
from entendre.core.audio import samples_of
from entendre.core.errors import InvalidInputError, OverloadedError, RecognitionError
from entendre.core.plan import Plan
from entendre.core.understanding import Completeness as C
from entendre.session import api
from entendre.session.assistant import Limits, MissedRing
from entendre.session.drafts import DraftRecord
from entendre.session.trace import Trace

LAMP = SetTrait("lamp", Trait.ON, True)
PLANS = {
    "turn on the lamp": (C.COMPLETE, Plan("Okay.", (LAMP,))),
    "add milk": (C.COMPLETE, Plan("Added milk.", (AddItem("shopping", "milk"),))),
    "which one": (C.COMPLETE, Plan("The left one or the right one?", expects_reply=True)),
    "tell me": (C.COMPLETE, Plan(" ".join(["word"] * 20))),
    "stop": (C.COMPLETE, Plan("", (StopSpeaking(),))),
    "louder": (C.COMPLETE, Plan("Okay.", (SetVolume(70),))),
    "battery": (C.COMPLETE, Plan("", (CallDeviceTool("status", "{}"),))),
    "dinner": (C.COMPLETE, Plan("I told them.", (Broadcast("dinner"),))),
}
OPEN = {"mode": api.ListenMode.CONTINUOUS, "listens_while_speaking": True, "cancels_echo": True}


@asynccontextmanager
async def running(stage: Stage, **profile: object) -> AsyncIterator[Stage]:
    task = asyncio.create_task(stage.open(**profile).run())
    try:
        yield stage
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await stage.assistant.keeper.close()


async def test_a_spoken_turn_from_sound_to_sound() -> None:
    async with running(Stage(PLANS)) as stage:
        stage.talk.start_listening()
        await stage.say()
        ended = await stage.turn_over()
        await stage.link.until(api.ListeningEnded)
    names = stage.link.names()
    assert names == [
        "SpeechStarted", "PartialHeard", "SpeechStopped", "TurnCommitted", "TurnUnderstood",
        "ReplyStarted", "ReplyEnded", "TurnEnded", "ListeningEnded",
    ]  # fmt: skip
    assert ended.outcome is api.Outcome.ANSWERED
    assert [(index, action) for _, index, action in stage.household.done] == [(0, LAMP)]
    trace = ended.trace
    order = ["speech_start_s", "speech_end_s", "draft_s", "understood_s", "commit_s", "first_audio_s", "played_s"]
    assert [trace[name] for name in order] == sorted(trace[name] for name in order)
    assert trace["first_audio_s"] - trace["speech_end_s"] < 0.3
    assert stage.voice.said == ["Okay."], "the reply prepared for the draft is the one that is said"


async def test_nothing_is_acted_on_before_the_turn_is_committed() -> None:
    stage = Stage({"turn on the lamp": (C.EXTENDABLE, PLANS["turn on the lamp"][1])})
    async with running(stage):
        stage.talk.start_listening()
        await stage.say(0.5, 0.35)
        assert stage.planner.worlds, "the draft was planned"
        assert stage.household.done == []
        await stage.stream(loud(0.3))
        assert stage.household.done == []
        await stage.stream(quiet(0.7))
        await stage.turn_over()
    assert len(stage.household.done) == 1


async def test_barge_in_stops_the_reply_and_says_how_much_was_heard() -> None:
    stage = Stage(PLANS)
    stage.ears.text = "tell me"
    async with running(stage, **OPEN):
        await stage.say(0.5, 0.9)
        await stage.link.until(api.ReplyStarted)
        stage.ears.text = "stop"
        await stage.say(0.4, 0.6)
        ended = await stage.link.until(api.ReplyEnded)
        await stage.turn_over(2)
    assert ended.interrupted
    names = stage.link.names()
    assert names.index("SpeechStarted", names.index("ReplyStarted")) < names.index("ReplyEnded"), "first who speaks"
    assert 0.2 < ended.heard_s < 1.6
    outcomes = [e.outcome for e in stage.link.of(api.TurnEnded)]
    assert outcomes == [api.Outcome.INTERRUPTED, api.Outcome.ANSWERED]
    assert stage.link.performed == [StopSpeaking()]


async def test_a_typed_turn_has_a_trace_without_any_audio() -> None:
    stage = Stage(PLANS)
    async with running(stage):
        await asyncio.sleep(0.05)
        stage.talk.respond("tell me")
        trace = (await stage.turn_over()).trace
    order = ["commit_s", "understood_s", "acted_s", "synthesis_s", "first_audio_s", "played_s"]
    assert [trace[name] for name in order] == sorted(trace[name] for name in order)
    assert trace["commit_s"] >= 0.05
    assert trace["played_s"] - trace["first_audio_s"] == pytest.approx(2.0, abs=0.1)


async def test_reply_audio_is_paced() -> None:
    stage = Stage(PLANS)
    async with running(stage, reply_lead_s=0.2):
        stage.talk.respond("tell me")
        await stage.link.until(api.ReplyStarted)
        await asyncio.sleep(0.5)
        sent_s = sum(len(e.pcm) for e in stage.link.of(api.ReplyAudio)) / 48_000
        assert 0.4 < sent_s < 1.0
        ended = await stage.link.until(api.ReplyEnded)
    assert ended.heard_s == pytest.approx(2.0, abs=0.05)


async def test_a_question_is_followed_up_without_a_wake_word_and_a_statement_is_not() -> None:
    stage = Stage(PLANS)
    stage.ears.text = "which one"
    async with running(stage):
        stage.talk.start_listening()
        await stage.say(0.5, 1.4)
        assert stage.link.of(api.ListeningEnded) == []
        stage.ears.text = "turn on the lamp"
        await stage.say()
        await stage.turn_over(2)
        await stage.link.until(api.ListeningEnded)
    assert len(stage.household.done) == 1


async def test_noise_is_no_turn() -> None:
    stage = Stage(PLANS)
    stage.ears.text = ""
    async with running(stage, **OPEN):
        await stage.say(0.3, 0.7)
        ended = await stage.turn_over()
    assert ended.outcome is api.Outcome.NOTHING_HEARD
    assert stage.voice.said == []


async def test_words_not_understood_are_heard_again_thoroughly() -> None:
    stage = Stage(PLANS)
    stage.ears.text, stage.ears.thorough_text = "turn on the lamb", "turn on the lamp"
    async with running(stage):
        stage.talk.start_listening()
        await stage.say(0.5, 1.2)
        ended = await stage.turn_over()
    assert ended.outcome is api.Outcome.ANSWERED
    assert (True in [thorough for _, thorough in stage.ears.asked]) and stage.household.done


async def test_words_never_understood_are_said_to_be_so() -> None:
    stage = Stage(PLANS)
    stage.ears.text = "gibberish"
    async with running(stage):
        stage.talk.start_listening()
        await stage.say(0.5, 1.2)
        ended = await stage.turn_over()
    assert ended.outcome is api.Outcome.NOT_UNDERSTOOD
    assert stage.voice.said == ["I did not get that."]


async def test_durable_actions_are_done_before_the_reply_and_failures_are_said() -> None:
    stage = Stage(PLANS)
    stage.household.delay_s = 0.2
    async with running(stage):
        stage.talk.respond("add milk")
        await stage.link.until(api.ReplyStarted)
        assert len(stage.household.done) == 1
        await stage.turn_over()
        stage.household.failing = AddItem
        stage.talk.respond("add milk")
        await stage.turn_over(2)
    assert stage.voice.said == ["Added milk.", "phrase action_failed"]


async def test_a_late_failure_is_corrected_aloud() -> None:
    stage = Stage(PLANS)
    stage.household.delay_s, stage.household.failing = 0.15, SetTrait
    async with running(stage):
        stage.talk.respond("turn on the lamp")
        await stage.turn_over()
    assert stage.voice.said == ["Okay.", "phrase action_failed"]


async def test_a_committed_action_is_finished_although_the_client_is_gone() -> None:
    stage = Stage(PLANS)
    stage.household.delay_s = 0.2
    async with running(stage):
        stage.talk.respond("add milk")
        await stage.link.until(api.TurnUnderstood)
    assert len(stage.household.done) == 1


class Leaving(Recorder):
    """A client that goes as soon as it is told what was heard."""

    async def deliver(self, event: api.SessionEvent) -> None:
        await super().deliver(event)
        if isinstance(event, api.TurnCommitted):
            await asyncio.Event().wait()


@pytest.mark.parametrize("typed", [True, False])
async def test_what_was_heard_is_done_although_the_client_went_before_it_was_planned(typed: bool) -> None:
    stage = Stage(PLANS)
    stage.link, stage.ears.text = Leaving(), "add milk"
    async with running(stage):
        if typed:
            stage.talk.respond("add milk")
        else:
            stage.talk.start_listening()
            await stage.say()
        await stage.link.until(api.TurnCommitted)
    assert [action for _, _, action in stage.household.done] == [AddItem("shopping", "milk")]
    assert stage.link.names()[-1] == "TurnCommitted", "nobody is there to be told"


async def test_what_the_client_itself_was_to_do_is_not_asked_of_one_that_went() -> None:
    stage = Stage(PLANS)
    stage.link = Leaving()
    async with running(stage):
        stage.talk.respond("louder")
        await stage.link.until(api.TurnCommitted)
    assert stage.link.performed == []


async def test_what_was_cancelled_before_the_client_went_is_not_done() -> None:
    stage = Stage(PLANS)
    stage.link = Leaving()
    async with running(stage):
        stage.talk.respond("add milk")
        await stage.link.until(api.TurnCommitted)
        stage.talk.cancel_reply()
        await stage.link.until(api.TurnEnded)
    assert stage.household.done == []


async def test_push_to_talk_that_was_not_asked_to_answer_does_nothing_when_the_client_goes() -> None:
    stage = Stage(PLANS)
    stage.link = Leaving()
    async with running(stage, mode=api.ListenMode.MANUAL, auto_respond=False):
        stage.talk.start_listening()
        await stage.say()
        stage.talk.stop_listening()
        await stage.link.until(api.TurnCommitted)
    assert stage.household.done == []


async def test_whoever_asks_for_the_answer_as_soon_as_the_turn_is_told_gets_it() -> None:
    """As the SDK of OpenAI does with push to talk: the request comes while the event is still being delivered."""

    class Eager(Recorder):
        async def deliver(self, event: api.SessionEvent) -> None:
            await super().deliver(event)
            if isinstance(event, api.TurnCommitted):
                stage.talk.respond()

    stage = Stage(PLANS)
    stage.link = Eager()
    async with running(stage, mode=api.ListenMode.MANUAL, auto_respond=False):
        stage.talk.start_listening()
        await stage.say()
        stage.talk.stop_listening()
        ended = await stage.turn_over()
    assert ended.outcome is api.Outcome.ANSWERED
    assert [action for _, _, action in stage.household.done] == [LAMP]


async def test_device_actions_go_to_the_device_and_broadcasts_need_a_listener() -> None:
    stage = Stage(PLANS)
    async with running(stage):
        stage.talk.respond("louder")
        await stage.turn_over()
        stage.talk.respond("dinner")
        await stage.turn_over(2)
    assert stage.link.performed == [SetVolume(70)]
    assert stage.voice.said[-1] == "phrase action_failed"


async def test_a_client_that_takes_nothing_loses_only_its_own_connection() -> None:
    slow, fast = Stage(PLANS, Limits(delivery_s=0.1)), Stage(PLANS)
    slow.link.stuck = True
    task = asyncio.create_task(slow.open(**OPEN).run())
    async with running(fast, **OPEN):
        await asyncio.gather(slow.stream(loud(0.4)), fast.say())
        with pytest.raises(OverloadedError):
            await task
        assert (await fast.turn_over()).outcome is api.Outcome.ANSWERED


async def test_leaving_frees_what_was_being_recognised() -> None:
    stage = Stage(PLANS)
    stage.ears.delay_s = 30.0
    async with running(stage, **OPEN):
        await stage.stream(loud(0.4) + quiet(0.3))
        assert len(stage.ears.asked) == 1
    assert stage.ears.cancelled == 1
    assert len(asyncio.all_tasks()) == 1


async def test_a_recogniser_that_fails_is_told_and_the_next_turn_works() -> None:
    stage = Stage(PLANS)
    stage.ears.error = RecognitionError("I could not hear that.")
    async with running(stage, **OPEN):
        await stage.say(0.4, 1.3)
        ended = await stage.turn_over()
        stage.ears.error = None
        await stage.say()
        again = await stage.turn_over(2)
    assert (ended.outcome, again.outcome) == (api.Outcome.FAILED, api.Outcome.ANSWERED)
    assert stage.link.of(api.TurnFailed)[0].code == "recognition_failed"


async def test_a_whole_recording_at_once_waits_for_its_drafts() -> None:
    stage = Stage(PLANS)
    async with running(stage, **OPEN):
        stage.talk.hear(quiet(0.5) + loud(0.8) + quiet(3.0))
        ended = await stage.turn_over()
    assert ended.outcome is api.Outcome.ANSWERED
    assert ended.trace["speech_end_s"] == pytest.approx(1.3, abs=0.1)


async def test_too_much_audio_at_once_is_refused() -> None:
    stage = Stage(PLANS, Limits(uplink_backlog_s=1.0))
    stage.open(**OPEN)
    with pytest.raises(OverloadedError):
        stage.talk.hear(quiet(1.1))


async def test_a_client_that_takes_nothing_in_the_middle_of_a_reply_ends_its_conversation() -> None:
    stage = Stage(PLANS)
    task = asyncio.create_task(stage.open().run())
    stage.talk.respond("tell me")
    await stage.link.until(api.ReplyStarted)
    stage.link.stuck = True
    with pytest.raises(OverloadedError):
        await asyncio.wait_for(task, 30)


@pytest.mark.parametrize("typed", [True, False])
async def test_the_voice_of_the_profile_speaks(typed: bool) -> None:
    stage, other = Stage(PLANS), ToneVoice()
    by_name = {("other", "en"): other}
    stage.assistant = replace(stage.assistant, voice_named=lambda name, language: by_name.get((name, language)))
    async with running(stage, voice="other", **OPEN):
        if typed:
            stage.talk.respond("turn on the lamp")
        else:
            await stage.say()
        await stage.turn_over()
    assert (other.said, stage.voice.said) == (["Okay."], [])


async def test_a_voice_that_is_not_there_is_spoken_for_by_the_usual_one() -> None:
    stage = Stage(PLANS)
    async with running(stage, voice="alloy"):
        stage.talk.respond("turn on the lamp")
        await stage.turn_over()
    assert stage.voice.said == ["Okay."]


async def test_a_turn_that_is_stopped_before_it_began_leaves_nothing_behind(recwarn: pytest.WarningsRecorder) -> None:
    stage = Stage(PLANS)
    async with running(stage):
        stage.talk.respond("turn on the lamp")
        stage.talk.respond("tell me")
        await stage.link.until(api.ReplyStarted)
        record = DraftRecord(1, stage.planner.worlds[0], asyncio.create_task(asyncio.sleep(60)))
        answering = stage.talk._answering
        await answering.stop(interrupted=False)
        answering.answer_spoken("t", Trace(), samples_of(b""), record, 0.0)
        await answering.stop(interrupted=False)
        assert record.task is not None
        assert record.task.cancelled(), "the draft that nobody waits for is stopped"
    gc.collect()
    assert not [str(each.message) for each in recwarn if "never awaited" in str(each.message)]


async def test_push_to_talk() -> None:
    stage = Stage(PLANS)
    async with running(stage, mode=api.ListenMode.MANUAL):
        stage.talk.start_listening()
        await stage.say(0.4, 0.5)
        assert stage.link.of(api.TurnCommitted) == []
        stage.talk.stop_listening()
        ended = await stage.turn_over()
        assert ended.outcome is api.Outcome.ANSWERED
        stage.talk.hear(loud(0.5))
        stage.talk.stop_listening()
        await stage.turn_over(2)
    assert len(stage.household.done) == 2


@pytest.mark.parametrize("mode", [api.ListenMode.CONTINUOUS, api.ListenMode.MANUAL])
async def test_opening_a_stream_need_not_stop_the_reply(mode: api.ListenMode) -> None:
    stage = Stage(PLANS)
    async with running(stage, **(OPEN | {"mode": mode})):
        stage.talk.respond("tell me")
        await stage.link.until(api.ReplyStarted)
        stage.talk.start_listening(mode, interrupts=False)
        stage.talk.hear(quiet(0.3))
        ended = await stage.link.until(api.ReplyEnded)
        assert not ended.interrupted
        await stage.say()
        stage.talk.stop_listening()
        await stage.turn_over(2)
    assert len(stage.household.done) == 1, "what is said after the reply is heard"


async def test_a_reply_is_cancelled_at_once_while_pushed_audio_waits_for_it() -> None:
    stage = Stage(PLANS)
    async with running(stage, mode=api.ListenMode.MANUAL):
        stage.talk.respond("tell me")
        await stage.link.until(api.ReplyStarted)
        stage.talk.hear(loud(0.5))
        await asyncio.sleep(0.05)
        stage.talk.cancel_reply()
        async with asyncio.timeout(0.5):
            assert (await stage.link.until(api.ReplyEnded)).interrupted
        stage.talk.stop_listening()
        await stage.turn_over(2)
    assert len(stage.household.done) == 1


async def test_the_client_decides_when_to_answer() -> None:
    stage = Stage(PLANS)
    async with running(stage, **OPEN, auto_respond=False):
        await stage.say()
        await stage.link.until(api.TurnCommitted)
        await asyncio.sleep(0.1)
        assert stage.link.of(api.TurnUnderstood) == []
        stage.talk.respond()
        await stage.turn_over()
        stage.talk.respond()
        assert (await stage.link.until(api.TurnFailed)).code == "invalid_input"
    assert len(stage.household.done) == 1


async def test_wake_word_on_the_server() -> None:
    stage = Stage(PLANS, wake_word=PatternWakeWord())
    wake = bytes(3200) + b"\xff\x7f" * 10
    async with running(stage, mode=api.ListenMode.WAKE, wake_words=("hey test",)):
        await stage.say()
        assert stage.link.names() == []
        await stage.stream(wake)
        await stage.say()
        await stage.turn_over()
    assert stage.link.names()[:2] == ["WakeHeard", "SpeechStarted"]


async def test_announcements_wait_for_the_reply_and_are_bounded() -> None:
    stage = Stage(PLANS, Limits(announcements=2))
    async with running(stage):
        stage.talk.respond("tell me")
        await stage.link.until(api.ReplyStarted)
        stage.talk.announce("dinner is ready")
        stage.talk.announce("come now")
        with pytest.raises(OverloadedError):
            stage.talk.announce("really")
        stage.talk.cancel_reply()
        await stage.link.until(api.ReplyEnded, 3)
    assert [e.text for e in stage.link.of(api.ReplyStarted)][1:] == ["dinner is ready", "come now"]
    assert [e.interrupted for e in stage.link.of(api.ReplyEnded)] == [True, False, False]


async def test_rings_sound_until_they_are_stopped_and_stop_is_heard_without_a_wake_word() -> None:
    stage = Stage(PLANS)
    stage.ears.text = "stop"
    async with running(stage):
        stage.talk.ring("r1", "timer", "pasta", "Pasta timer.")
        await stage.link.until(api.ReplyEnded)
        assert stage.talk.rings == {"r1"}
        await stage.say(0.3, 0.5)
        await stage.turn_over()
        stage.talk.stop_ring("r1")
        await stage.link.until(api.RingStopped)
    assert stage.link.of(api.ReplyStarted)[0].text == "Pasta timer."
    assert stage.link.performed == [StopSpeaking()]
    assert stage.talk.rings == frozenset()


async def test_overlong_text_is_refused() -> None:
    stage = Stage(PLANS)
    stage.open()
    with pytest.raises(InvalidInputError):
        stage.talk.respond("x" * 5000)


async def test_close_ends_after_what_is_under_way() -> None:
    stage = Stage(PLANS)
    task = asyncio.create_task(stage.open().run())
    stage.talk.respond("turn on the lamp")
    await stage.link.until(api.ReplyStarted)
    stage.talk.close()
    async with asyncio.timeout(2):
        await task
    assert stage.link.of(api.TurnEnded)[0].outcome is api.Outcome.ANSWERED


async def test_what_nobody_heard_is_told_once_after_the_next_answer() -> None:
    stage = Stage(PLANS)
    stage.household.unheard = [MissedRing("r1", "alarm", None, "07:00")]
    async with running(stage):
        stage.talk.respond("turn on the lamp")
        await stage.turn_over()
        stage.talk.respond("turn on the lamp")
        await stage.turn_over(2)
    assert stage.voice.said == ["Okay.", "phrase alarm_missed", "Okay."]


async def test_notices_reach_the_client_between_turns() -> None:
    stage = Stage(PLANS)
    async with running(stage):
        stage.talk.notify(api.TimerChanged("t1", "started", "tea", 60, 60.0, False))
        assert (await stage.link.until(api.TimerChanged)).name == "tea"


@pytest.mark.parametrize("after_s", [0.0, 6.0])
async def test_a_tools_answer_is_said_by_a_plan_that_says_nothing_itself(after_s: float) -> None:
    stage = Stage(PLANS)
    stage.link.answer, stage.link.answer_after_s = "Half full.", after_s
    async with running(stage):
        stage.talk.respond("battery")
        ended = await stage.link.until(api.TurnEnded, timeout_s=30)
        stage.link.answer_after_s = 0.0
        stage.talk.respond("louder")
        await stage.turn_over(2)
    assert ended.outcome is api.Outcome.ANSWERED
    assert stage.voice.said == ["Half full.", "Okay."], "a plan's own reply is all it says"


async def test_a_tool_that_does_not_answer_is_reported_and_one_that_says_nothing_is_done() -> None:
    stage = Stage(PLANS, limits=Limits(tool_s=1.0))
    stage.link.answer_after_s = 60.0
    async with running(stage):
        stage.talk.respond("battery")
        await stage.turn_over()
        stage.link.answer_after_s, stage.link.answer = 0.0, ""
        stage.talk.respond("battery")
        await stage.turn_over(2)
    assert stage.voice.said == ["phrase action_failed"]
