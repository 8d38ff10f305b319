"""Sound at another rate or width is the same sound."""

from __future__ import annotations

import numpy as np
import pytest

from entendre.core.errors import InvalidInputError
from entendre.gateways.resample import Resampler, to_mono_pcm16


def tone(rate_hz: int, seconds: float = 0.5, frequency_hz: float = 440.0) -> np.ndarray:
    return (8000 * np.sin(2 * np.pi * frequency_hz * np.arange(int(rate_hz * seconds)) / rate_hz)).astype("<i2")


@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(48_000, 16_000), (44_100, 16_000), (8_000, 16_000), (24_000, 22_050)]
)
def test_a_tone_keeps_its_length_pitch_and_loudness(rate_in: int, rate_out: int) -> None:
    resampler = Resampler(rate_in, rate_out)
    data = tone(rate_in).tobytes()
    pieces = [resampler.push(data[start : start + 333]) for start in range(0, len(data), 333)]
    out = np.frombuffer(b"".join([*pieces, resampler.flush()]), dtype="<i2")
    assert abs(len(out) - rate_out // 2) <= 2
    middle = slice(len(out) // 4, -len(out) // 4)
    expected = tone(rate_out)[: len(out)]
    assert np.abs(out[middle].astype(int) - expected[middle]).max() < 200


def test_equal_rates_pass_through_and_keep_half_samples() -> None:
    resampler = Resampler(16_000, 16_000)
    data = tone(16_000).tobytes()
    assert resampler.push(data[:101]) == data[:100]
    assert resampler.push(data[101:]) == data[100:]
    assert resampler.flush() == b""


def test_widths_and_channels_become_mono_16_bit() -> None:
    mono = np.array([0, 1000, -1000, 32767, -32768], dtype="<i2")
    wide = np.asarray(mono, dtype="<i4") << 16
    packed = wide.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    assert to_mono_pcm16(mono.tobytes(), width_bytes=2, channels=1) == mono.tobytes()
    assert to_mono_pcm16(wide.tobytes(), width_bytes=4, channels=1) == mono.tobytes()
    assert to_mono_pcm16(packed, width_bytes=3, channels=1) == mono.tobytes()
    assert (
        to_mono_pcm16(bytes([128, 255, 0]), width_bytes=1, channels=1) == np.array([0, 32512, -32768], "<i2").tobytes()
    )
    stereo = np.array([[100, 300], [-100, -300]], dtype="<i2")
    assert to_mono_pcm16(stereo.tobytes(), width_bytes=2, channels=2) == np.array([200, -200], "<i2").tobytes()


def test_half_a_frame_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        to_mono_pcm16(b"123", width_bytes=2, channels=1)
