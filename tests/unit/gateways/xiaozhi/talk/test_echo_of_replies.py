"""A device in realtime mode that hears itself: its replies do not interrupt themselves, and people still do."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

pytest.importorskip("opuslib_next")

from channels import Scene, scene
from opuslib_next import Encoder
from parts import Stage

from entendre.core.plan import Plan
from entendre.core.understanding import Completeness as C
from entendre.gateways.xiaozhi.downlink import AudioPacket
from entendre.gateways.xiaozhi.opus import OpusDecoder
from entendre.wire import xiaozhi_messages as wire

AEC = wire.Hello(features=wire.Features(aec=True))
STORY_S = 6.0


async def story(text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
    """Loud noise in syllables: `LoudnessVad` takes its echo for speech."""
    at = np.arange(int(STORY_S * 24_000)) / 24_000
    noise = np.convolve(np.random.default_rng(1).standard_normal(len(at)), np.ones(4) / 4, "same")
    yield (9000 * noise * np.clip(np.sin(2 * np.pi * 2.5 * at), 0.1, 1)).astype("<i2").tobytes()


class Box:
    """A loudspeaker beside a microphone: what plays is heard, 20 ms later and half as loud."""

    def __init__(self, at: Scene, *, says_time: bool) -> None:
        self.at, self.says_time = at, says_time
        self.voice: deque[np.ndarray] = deque()
        self._seen, self._decoder, self._encoder = 0, OpusDecoder(), Encoder(16_000, 1, "voip")
        self._tail = np.zeros(320)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.06)
            played, timestamp_ms = self._play()
            late = np.concatenate([self._tail, played])
            self._tail = late[960:]
            heard = late[:960] * 0.5 + (self.voice.popleft() if self.voice else 0)
            packet = self._encoder.encode(np.clip(heard, -32768, 32767).astype("<i2").tobytes(), 960)
            self.at.talk.hear_packet(packet, timestamp_ms=timestamp_ms if self.says_time else 0)

    def _play(self) -> tuple[np.ndarray, int]:
        packets: list[AudioPacket] = [item for _, item in self.at.device.packets()]
        if self._seen == len(packets):
            return np.zeros(960), 0
        packet, self._seen = packets[self._seen], self._seen + 1
        return np.frombuffer(self._decoder.decode(packet.opus) or bytes(1920), "<i2").astype(float), packet.timestamp_ms


def tone(packets: int) -> list[np.ndarray]:
    return np.split(12_000 * np.sin(2 * np.pi * 220 * np.arange(960 * packets) / 16_000), packets)


@asynccontextmanager
async def telling(*, hello: wire.Hello, says_time: bool) -> AsyncIterator[tuple[Scene, Box]]:
    """A device that was asked for a story, which has been sounding for two seconds."""
    made = Stage({"tell me": (C.COMPLETE, Plan("A long story."))})
    made.ears.text = "tell me"
    made.voice.synthesize = story  # type: ignore[method-assign]
    async with scene(made, hello=hello) as at:
        box = Box(at, says_time=says_time)
        running = asyncio.create_task(box.run())
        try:
            at.listen("realtime")
            box.voice.extend(tone(10))
            await at.device.until("audio", int(2.0 / 0.06))
            yield at, box
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("says_time", [True, False])
async def test_a_reply_does_not_interrupt_itself(says_time: bool) -> None:
    async with telling(hello=AEC, says_time=says_time) as (at, _):
        await at.device.until("tts stop")
        assert len(at.device.packets()) == pytest.approx(STORY_S / 0.06, abs=1)
        assert at.device.steps().count("stt") == 1


@pytest.mark.parametrize("says_time", [True, False])
async def test_a_voice_over_the_echo_interrupts(says_time: bool) -> None:
    async with telling(hello=AEC, says_time=says_time) as (at, box):
        onset = asyncio.get_running_loop().time()
        box.voice.extend(tone(6))
        await at.device.until("tts stop")
        assert at.device.times("tts stop")[0] - onset <= 0.26  # it begins up to 60 ms after `onset`
        assert len(at.device.packets()) < STORY_S / 0.06 / 2


async def test_a_device_that_neither_cancels_nor_asks_for_it_is_interrupted_by_itself() -> None:
    async with telling(hello=wire.Hello(), says_time=True) as (at, _):
        await at.device.until("tts stop")
        first = at.device.times("tts stop")[0] - at.device.times("tts start")[0]
        assert first < STORY_S / 2
