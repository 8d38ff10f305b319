"""A speaker whose words take long to be recognised: from its microphone to what it plays."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("opuslib_next")

from channels import Scene, scene, silent, spoken
from parts import Stage

from entendre.core.plan import Plan
from entendre.core.understanding import Completeness as C
from entendre.gateways.xiaozhi.settings import XiaozhiSettings

PLANS = {"turn on the lamp": (C.COMPLETE, Plan("Okay then."))}
FILLER = "phrase still_working"


def slow_stage(text: str = "turn on the lamp") -> Stage:
    made = Stage(PLANS)
    made.ears.text, made.ears.delay_s = text, 6.0
    return made


def said(at: Scene) -> list[str]:
    return [message["text"] for message in at.device.texts("tts sentence_start")]


async def test_a_slow_turn_is_bridged_and_the_device_is_told_to_speak_once() -> None:
    async with scene(slow_stage()) as at:
        at.listen("auto")
        await at.say(after_s=3.0)
        await at.device.until("tts stop")
        await asyncio.sleep(1)
    assert at.device.steps() == [
        *("tts start", "tts sentence_start", "audio"),
        *("stt", "llm", "tts sentence_start", "audio", "tts stop"),
    ]
    assert said(at) == [FILLER, "Okay then."]
    stamps = [packet.timestamp_ms for _, packet in at.device.packets()]
    assert stamps == sorted(set(stamps)), "one stream of packets"


async def test_a_noise_that_took_long_ends_as_one() -> None:
    async with scene(slow_stage("")) as at:
        at.listen("auto")
        await at.stream(spoken(0.2) + silent(3.0))
        await asyncio.sleep(10)
    assert at.device.steps() == []


async def test_words_that_nobody_spoke_to_it_are_not_bridged() -> None:
    """Nobody asked for long: only what is understood shows that this was meant for the speaker."""
    async with scene(slow_stage(), XiaozhiSettings(idle_s=10), next_ring_s=lambda device: 300.0) as at:
        at.listen("auto")
        await at.stream(silent(15.0))
        await at.say(after_s=3.0)
        await at.device.until("tts stop")
    assert said(at) == ["Okay then."]
    assert at.device.steps()[:2] == ["stt", "tts start"]
