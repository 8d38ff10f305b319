"""Echo cancellation: our own speech is taken out of a microphone, and a voice beside it is left in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("opuslib_next")

from entendre.core.resample import PcmResampler
from entendre.gateways.xiaozhi.downlink import Downlink
from entendre.gateways.xiaozhi.echo import Echo, EchoCanceller
from entendre.gateways.xiaozhi.opus import SAID_FRAME_BYTES

FRAME = 960
Sound = NDArray[np.float64]


def chatter(seconds: float, seed: int, rate_hz: int) -> Sound:
    """Noise that comes and goes in syllables and pauses, as speech does."""
    source = np.random.default_rng(seed)
    noise = np.convolve(source.standard_normal(int(seconds * rate_hz)), np.ones(4) / 4, "same")
    at = np.arange(len(noise)) / rate_hz
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * at + seed), 0, 1) * (np.sin(2 * np.pi * 0.4 * at) > -0.7)
    return 6000 * noise * syllables


class Room:
    """A loudspeaker and a microphone with walls around; the reply is at 24 kHz, the microphone at 16 kHz."""

    def __init__(self, seconds: float = 8.0, delay_ms: int = 60) -> None:
        said = chatter(seconds, 1, 24_000).astype("<i2").tobytes()
        frames = range(0, len(said) - SAID_FRAME_BYTES, SAID_FRAME_BYTES)
        self.frames = [said[at : at + SAID_FRAME_BYTES] for at in frames]
        played = np.frombuffer(PcmResampler(24_000, 16_000).push(said), "<i2").astype(float)
        path = np.zeros(2400)
        at = np.arange(2400 - delay_ms * 16)
        path[delay_ms * 16 :] = np.random.default_rng(2).standard_normal(len(at)) * np.exp(-at / 300) * 0.1
        path[delay_ms * 16] = 0.6
        self.echo = np.convolve(played, path)[: len(played)]

    def packets(self, voice: Sound | None = None) -> Iterator[tuple[int, bytes]]:
        heard = self.echo + np.random.default_rng(4).standard_normal(len(self.echo)) * 5
        if voice is not None:
            heard = heard + voice[: len(heard)]
        for number in range(len(heard) // FRAME):
            yield 60 * (number + 1), heard[number * FRAME :][:FRAME].astype("<i2").tobytes()


def cleaned(room: Room, voice: Sound | None = None) -> Sound:
    canceller, out, said = EchoCanceller(), [], iter(enumerate(room.frames, 1))
    for number, (timestamp_ms, packet) in enumerate(room.packets(voice), 1):
        for at, frame in said:
            canceller.say(frame, 60 * at)
            if at >= number + 3:
                break
        out.append(np.frombuffer(canceller.clean(packet, timestamp_ms), "<i2"))
    return np.concatenate(out).astype(float)


def loudness_db(sound: Sound, begin_s: float, end_s: float) -> float:
    return float(10 * np.log10((sound[int(begin_s * 16_000) : int(end_s * 16_000)] ** 2).mean() + 1e-3))


@pytest.mark.parametrize("delay_ms", [0, 60, 120])
def test_our_own_speech_is_taken_out(delay_ms: int) -> None:
    room = Room(delay_ms=delay_ms)
    out = cleaned(room)
    assert loudness_db(room.echo, 0, 1) - loudness_db(out, 0, 1) > 12
    assert loudness_db(room.echo, 3, 7) - loudness_db(out, 3, 7) > 25


@pytest.mark.parametrize("level", [0.5, 1.0])
def test_a_voice_beside_it_is_left_in(level: float) -> None:
    room = Room()
    voice = np.zeros(len(room.echo))
    voice[4 * 16_000 : 6 * 16_000] = chatter(2.0, 9, 16_000) * level
    out = cleaned(room, voice)
    assert abs(loudness_db(out, 4, 6) - loudness_db(voice, 4, 6)) < 3
    likeness = np.corrcoef(out[4 * 16_000 : 6 * 16_000], voice[4 * 16_000 : 6 * 16_000])[0, 1]
    assert likeness > 0.85


def test_while_nothing_plays_all_is_heard_as_it_is() -> None:
    canceller, voice = EchoCanceller(), chatter(0.06, 3, 16_000).astype("<i2").tobytes()
    assert canceller.clean(voice, 0) == voice
    assert canceller.clean(voice, 120) == voice
    canceller.say(bytes(SAID_FRAME_BYTES), 60)
    assert canceller.clean(voice, 60) == voice


def test_packets_of_odd_lengths_and_jumping_timestamps_keep_their_length() -> None:
    canceller = EchoCanceller()
    for number, frame in enumerate(Room(1.0).frames, 1):
        canceller.say(frame, 60 * number)
    for length, timestamp_ms in ((320, 60), (640, 900), (1920, 120), (401, 7), (960, 4_000_000_000)):
        assert len(canceller.clean(bytes(2 * length), timestamp_ms)) == 2 * length


def test_without_timestamps_it_goes_by_our_own_count() -> None:
    now, room = 0.0, Room(delay_ms=40)
    downlink = Downlink(lambda: now, lead_s=0.18)
    echo, out = Echo(downlink), []
    downlink.open(0.0)
    downlink.begin(24_000)
    frames = iter(room.frames)
    for _ in range(4):
        downlink.push(next(frames))
    for _, packet in room.packets():
        now += 0.06
        out.append(np.frombuffer(echo.clean(packet, 0), "<i2"))
        downlink.push(next(frames, b""))
    heard = np.concatenate(out).astype(float)
    assert loudness_db(room.echo, 3, 7) - loudness_db(heard, 3, 7) > 20
