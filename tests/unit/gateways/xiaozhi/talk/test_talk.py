"""A channel's conversation in virtual time: the order of messages, when each comes, and exactly one stop a turn."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

pytest.importorskip("opuslib_next")

from channels import Scene, scene, silent, spoken
from parts import Stage

from entendre.core.actions import SetTrait, StopSpeaking, Trait
from entendre.core.errors import RecognitionError
from entendre.core.plan import Plan
from entendre.core.understanding import Completeness as C
from entendre.gateways.xiaozhi.settings import XiaozhiSettings
from entendre.session import api

LAMP = SetTrait("lamp", Trait.ON, True)
LONG = " ".join(["word"] * 40)
PLANS = {
    "turn on the lamp": (C.COMPLETE, Plan("Okay then.", (LAMP,))),
    "which one": (C.COMPLETE, Plan("The left one or the right one?", expects_reply=True)),
    "tell me": (C.COMPLETE, Plan(LONG)),
    "stop": (C.COMPLETE, Plan("", (StopSpeaking(),))),
}
TURN = ["stt", "tts start", "llm", "tts sentence_start", "audio", "tts stop"]


def stage(text: str = "turn on the lamp") -> Stage:
    made = Stage(PLANS)
    made.ears.text = text
    return made


async def a_turn(at: Scene, mode: str = "auto") -> None:
    at.listen(mode)
    await at.say()
    await at.device.until("tts stop")


async def test_a_turn_in_auto_mode() -> None:
    async with scene(stage()) as at:
        await a_turn(at)
        await asyncio.sleep(1)
    assert at.device.steps() == TURN
    assert at.device.texts("stt")[0] == {"session_id": "s-1", "type": "stt", "text": "turn on the lamp"}
    assert at.device.texts("tts sentence_start")[0]["text"] == "Okay then."
    assert at.device.texts("llm")[0]["emotion"] == "happy"
    assert [action for _, _, action in at.stage.household.done] == [LAMP]


async def test_the_device_hears_nothing_sooner_than_a_tenth_of_a_second_after_it_was_told_to_speak() -> None:
    async with scene(stage()) as at:
        await a_turn(at)
    first = at.device.packets()[0][0]
    assert first - at.device.times("tts start")[0] == pytest.approx(0.1, abs=0.005)


async def test_waiting_for_the_device_costs_nothing_where_the_reply_is_slow_anyway() -> None:
    made = stage("tell me something new")
    made.voice.slow_s = 0.4
    made.plans["tell me something new"] = (C.INCOMPLETE, Plan("All right."))
    async with scene(made) as at:
        await a_turn(at)
    first = at.device.packets()[0][0]
    assert first - at.device.times("tts start")[0] <= 0.41


async def test_audio_is_paced_in_frames_of_sixty_milliseconds_with_a_lead_of_three_packets() -> None:
    async with scene(stage("tell me")) as at:
        await a_turn(at)
    packets = at.device.packets()
    assert len(packets) == pytest.approx(4.0 / 0.06, abs=1.5)
    times = [moment - packets[0][0] for moment, _ in packets]
    lead = [index * 0.06 - moment for index, moment in enumerate(times)]
    assert max(lead) <= 0.18 + 0.06 + 1e-6
    assert min(lead[4:-1]) >= 0.1
    assert max(after - before for before, after in pairwise(times)) <= 0.08
    assert [packet.timestamp_ms for _, packet in packets] == [60 * (n + 1) for n in range(len(packets))]
    stopped = at.device.times("tts stop")[0] - packets[0][0]
    assert stopped == pytest.approx(len(packets) * 0.06, abs=0.07)


async def test_the_end_of_a_reply_is_not_late() -> None:
    async with scene(stage()) as at:
        await a_turn(at)
    packets = at.device.packets()
    assert len(packets) == 4  # 0.2 s, the last frame filled up with silence
    assert packets[-1][0] - packets[0][0] < 3 * 0.06


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000])
async def test_a_reply_of_any_rate_is_sent_to_its_last_sample(rate_hz: int) -> None:
    made = stage()
    made.voice.rate_hz = rate_hz

    async def loud_to_the_end(text: str, *, language: str, speed: float = 1.0):  # type: ignore[no-untyped-def]
        for _ in range(3):
            yield (np.ones(rate_hz // 6, "<i2") * 9000).tobytes()

    made.voice.synthesize = loud_to_the_end  # type: ignore[method-assign]
    async with scene(made) as at:
        await a_turn(at)
        at.conversation.announce("Dinner is ready.")
        await at.device.until("tts stop", 2)
    assert len(at.device.packets()) == 2 * 9  # 0.5 s each, the last frame filled up
    assert at.device.steps()[-2:] == ["audio", "tts stop"]


async def test_a_voice_that_pauses_between_sentences_does_not_flood_the_device_afterwards() -> None:
    made = stage("tell me")

    async def pausing(text: str, *, language: str, speed: float = 1.0):  # type: ignore[no-untyped-def]
        yield bytes(48_000)
        await asyncio.sleep(3.0)
        yield bytes(2 * 48_000)

    made.voice.synthesize = pausing  # type: ignore[method-assign]
    async with scene(made) as at:
        await a_turn(at)
    packets = at.device.packets()
    later = [moment for moment, _ in packets if moment - packets[0][0] > 2]
    lead = [index * 0.06 - (moment - later[0]) for index, moment in enumerate(later)]
    assert max(lead) <= 0.24 + 1e-6
    assert at.device.times("tts stop")[0] - later[0] >= 1.9


async def test_after_a_reply_the_device_listens_again_by_itself() -> None:
    async with scene(stage()) as at:
        await a_turn(at)
        at.listen("auto")
        await at.say()
        await at.device.until("tts stop", 2)
    assert at.device.steps() == TURN * 2


async def test_a_device_that_hears_nothing_goes_on_listening() -> None:
    async with scene(stage(), XiaozhiSettings(idle_s=60)) as at:
        at.listen("auto")
        await at.stream(silent(12.0))
        await at.say()
        await at.device.until("tts stop")
    assert at.device.steps() == TURN


async def test_noise_is_no_turn_and_the_device_is_heard_afterwards() -> None:
    made = stage("")
    async with scene(made, XiaozhiSettings(idle_s=60)) as at:
        at.listen("auto")
        await at.say(after_s=6.0)
        assert at.device.steps() == []
        made.ears.text = "turn on the lamp"
        await at.say()
        await at.device.until("tts stop")
    assert at.device.steps() == TURN


async def test_a_question_is_answered_without_a_wake_word() -> None:
    made = stage("which one")
    async with scene(made) as at:
        await a_turn(at)
        made.ears.text = "turn on the lamp"
        at.listen("auto")
        await at.say()
        await at.device.until("tts stop", 2)
    assert [said["text"] for said in at.device.texts("stt")] == ["which one", "turn on the lamp"]


async def test_push_to_talk() -> None:
    async with scene(stage()) as at:
        at.listen("manual")
        await at.stream(spoken(0.6) + silent(3.0) + spoken(0.6))
        assert at.device.steps() == []
        at.stop_listening()
        await at.device.until("tts stop")
        await asyncio.sleep(1)
    assert at.device.steps() == TURN


async def test_push_to_talk_without_a_word_is_told_to_stop_once() -> None:
    async with scene(stage("")) as at:
        at.listen("manual")
        await at.stream(silent(0.6))
        at.stop_listening()
        await at.device.until("tts stop")
        await asyncio.sleep(1)
    assert at.device.steps() == ["tts stop"]


async def test_an_empty_reply_is_told_to_stop_once() -> None:
    async with scene(stage("stop")) as at:
        await a_turn(at)
        await asyncio.sleep(1)
    assert at.device.steps() == ["stt", "tts start", "llm", "tts stop"]


async def test_a_failure_is_shown_and_told_to_stop_once() -> None:
    made = stage()
    made.ears.error = RecognitionError("I could not hear that.")
    async with scene(made) as at:
        at.listen("auto")
        await at.say(after_s=3.0)
        await at.device.until("tts stop")
        await asyncio.sleep(1)
    assert at.device.steps() == ["tts start", "llm", "tts sentence_start", "tts stop"]
    assert at.device.texts("llm")[0]["emotion"] == "sad"


async def test_an_abort_stops_at_once_and_once() -> None:
    async with scene(stage("tell me")) as at:
        at.listen("auto")
        await at.say()
        await at.device.until("audio", 5)
        at.abort()
        await at.device.until("tts stop")
        stopped = len(at.device.sent)
        await asyncio.sleep(3)
        assert len(at.device.sent) == stopped
        at.stage.ears.text = "turn on the lamp"
        at.listen("auto")
        await at.say()
        await at.device.until("tts stop", 2)
    assert at.device.steps() == TURN * 2


async def test_an_abort_before_the_reply_stops_it() -> None:
    made = stage("tell me")
    made.voice.slow_s = 2.0
    async with scene(made) as at:
        at.listen("auto")
        await at.say()
        await at.device.until("tts start")
        at.abort()
        await asyncio.sleep(4)
    assert at.device.steps()[-1] == "tts stop"
    assert "audio" not in at.device.steps()
    assert at.device.steps().count("tts stop") == 1


@pytest.mark.parametrize("packet_ms", [20, 40, 60])
async def test_in_realtime_a_voice_interrupts_within_a_fifth_of_a_second(packet_ms: int) -> None:
    async with scene(stage("tell me")) as at:
        at.listen("realtime")
        await at.stream(spoken(0.6) + silent(1.2))
        await at.device.until("audio", 12)
        onset = asyncio.get_running_loop().time()
        await at.stream(spoken(0.3, packet_ms), packet_ms)
        await at.device.until("tts stop")
        assert at.device.times("tts stop")[0] - onset <= 0.2
        at.stage.ears.text = "turn on the lamp"
        await at.stream(spoken(0.4) + silent(1.2))
        await at.device.until("tts stop", 2)
        await asyncio.sleep(1)
    assert at.device.steps() == TURN * 2


async def test_in_realtime_no_new_listen_is_needed() -> None:
    async with scene(stage()) as at:
        at.listen("realtime")
        for count in (1, 2, 3):
            await at.say()
            await at.device.until("tts stop", count)
    assert at.device.steps() == TURN * 3


async def test_the_sound_of_the_wake_word_is_kept_apart() -> None:
    async with scene(stage()) as at:
        await at.stream(spoken(1.2))
        assert len(at.talk.dialogue.uplink.wake_packets) == 20
        at.detect("hi jarvis")
        at.listen("auto")
        await at.stream(silent(1.0))
        assert at.stage.ears.asked == []
        await at.say()
        await at.device.until("tts stop")
    assert at.device.steps() == TURN


async def test_a_known_wake_word_is_no_request_and_any_other_text_is() -> None:
    settings = XiaozhiSettings(wake_words=("Hi, ESP", "你好小智"))
    async with scene(stage(), settings) as at:
        for word in ("hi esp", "你好，小智"):
            at.detect(word)
        await asyncio.sleep(1)
        assert at.device.steps() == []
        at.detect("turn on the lamp")
        await at.device.until("tts stop")
    assert at.device.steps() == TURN


async def test_an_announcement_reaches_a_device_that_is_idle_and_one_that_listens() -> None:
    said = ["tts start", "tts sentence_start", "audio", "tts stop"]
    async with scene(stage()) as at:
        at.conversation.announce("Dinner is ready.")
        await at.device.until("tts stop")
        at.listen("auto")
        await at.stream(silent(0.6))
        at.conversation.announce("Come now.")
        await at.stream(silent(6.0))
        await at.device.until("tts stop", 2)
        at.listen("auto")
        await at.say()
        await at.device.until("tts stop", 3)
    assert at.device.steps() == said * 2 + TURN


async def test_the_microphone_that_opens_by_itself_does_not_cut_an_announcement_off() -> None:
    async with scene(stage()) as at:
        await a_turn(at)
        at.conversation.announce(LONG)
        await at.device.until("tts start", 2)
        at.listen("auto")
        await at.device.until("tts stop", 2)
    assert len(at.device.packets()) > 60


async def test_a_timer_rings_again_and_again_with_the_microphone_open_in_between() -> None:
    made = stage("turn on the lamp")
    async with scene(made) as at:
        at.device.on_text = lambda message: at.listen("auto") if message.get("state") == "stop" else None
        at.conversation.ring("r1", "timer", None, "Your timer is done.")
        await at.device.until("tts stop", 3)
        at.conversation.stop_ring("r1")
        await asyncio.sleep(1)
        stops, starts = at.device.times("tts stop"), at.device.times("tts start")
    assert len(stops) == len(starts) == 3
    assert starts[1] - stops[0] > 3


@pytest.mark.parametrize(("reason", "silenced"), [("", ["r1"]), ("wake_word_detected", [])])
async def test_the_button_silences_what_rings_and_the_wake_word_waits_for_what_is_said(
    reason: str, silenced: list[str]
) -> None:
    ended: list[str] = []
    async with scene(stage(), silence=ended.append) as at:
        at.conversation.ring("r1", "timer", None, "Your timer is done.")
        await at.device.until("audio", 5)
        at.tell(json.dumps({"type": "abort", "reason": reason}))
        await at.device.until("tts stop")
        assert ended == silenced


async def test_an_idle_device_may_sleep() -> None:
    async with scene(stage(), XiaozhiSettings(idle_s=20)) as at:
        await a_turn(at)
        spoke = asyncio.get_running_loop().time()
        at.listen("auto")
        await at.stream(silent(30.0))
        assert await at.task == "idle"
        assert spoke + 19 < asyncio.get_running_loop().time()


@pytest.mark.parametrize("mode", ["auto", "manual", "realtime"])
async def test_a_device_whose_open_microphone_sends_nothing_may_sleep(mode: str) -> None:
    async with scene(stage(), XiaozhiSettings(idle_s=20)) as at:
        at.listen(mode)
        async with asyncio.timeout(30):
            assert await at.task == "idle"


async def test_a_button_may_be_held_for_long() -> None:
    async with scene(stage(), XiaozhiSettings(idle_s=10)) as at:
        at.listen("manual")
        await at.stream(silent(25.0))
        assert not at.task.done()


async def test_a_device_that_is_to_ring_soon_is_kept_awake_and_nothing_it_overhears_is_answered() -> None:
    made = stage()
    async with scene(made, XiaozhiSettings(idle_s=10), next_ring_s=lambda device: 300.0) as at:
        await a_turn(at)
        at.listen("auto")
        await at.stream(silent(15.0))
        assert not at.task.done()
        before = len(at.device.sent)
        made.ears.text = "what the television says"
        await at.say(after_s=6.0)
        assert len(at.device.sent) == before
        made.ears.text = "turn on the lamp"
        await at.say()
        await at.device.until("tts stop", 2)
        at.listen("auto")
        await at.stream(silent(70.0))
        assert any(name in ("llm", "mcp") for name in at.device.steps()[-3:])
    assert at.device.steps()[: len(TURN) * 2] == TURN * 2


async def test_a_device_that_never_makes_sense_is_left_alone() -> None:
    async with scene(stage("gibberish of a television"), XiaozhiSettings(misses=3)) as at:
        at.device.on_text = lambda message: at.listen("auto") if message.get("state") == "stop" else None
        at.listen("auto")
        for count in (1, 2, 3):
            await at.say()
            await at.device.until("tts stop", count)
        assert await at.task == "idle"


async def test_a_device_that_takes_nothing_is_dropped() -> None:
    async with scene(stage()) as at:
        at.device.stuck = True
        at.listen("auto")
        await at.say()
        async with asyncio.timeout(20):
            assert await at.task == "slow"


async def test_what_is_no_opus_ends_the_channel_and_a_broken_packet_does_not() -> None:
    async with scene(stage()) as at:
        at.listen("auto")
        await at.stream((b"\xff\x00\x01",) * 5)
        await at.say()
        await at.device.until("tts stop")
        assert at.talk.dialogue.uplink.malformed == 5
        at.listen("auto")
        await at.stream((b"\xff\x00\x01",) * 60)
        assert await at.task == "no_audio"


async def test_a_device_whose_request_another_speaker_answers_may_sleep() -> None:
    async with scene(stage()) as at:
        at.listen("auto")
        await at.talk.deliver(api.TurnEnded("t", api.Outcome.ELSEWHERE))
        assert await at.task == "elsewhere"
        assert at.device.steps() == []


@pytest.mark.parametrize(("mode", "woken"), [("auto", True), ("manual", False)])
async def test_a_device_opens_its_channel_because_it_was_woken(mode: str, woken: bool) -> None:
    starts: list[bool] = []
    async with scene(stage()) as at:
        listen = at.conversation.start_listening

        def start_listening(*mode: Any, interrupts: bool = True, woken: bool = False) -> None:
            starts.append(woken)
            listen(*mode, interrupts=interrupts, woken=woken)

        at.conversation.start_listening = start_listening  # type: ignore[method-assign]
        at.listen(mode)
        at.listen(mode)
        await at.stream(spoken(0.6))
        at.listen(mode)
        at.stop_listening()
        await asyncio.sleep(1)
        await at.stream(spoken(0.6))
        at.detect("hi jarvis")
        at.listen(mode)
    assert starts == [woken, False, False, True]


async def test_a_part_that_breaks_ends_the_channel() -> None:
    async with scene(stage()) as at:

        def break_down(text: str) -> None:
            raise RuntimeError("a bug")

        at.device.on_text = break_down
        at.detect("turn on the lamp")
        assert await at.task == "internal"
