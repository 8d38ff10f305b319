"""Sample rates and encodings as streams."""

from __future__ import annotations

import numpy as np
import pytest

from entendre.core.audio import HOUSE_RATE_HZ, AudioFormat, Encoding
from entendre.gateways.realtime.audio import Downlink, Uplink


def tone(rate_hz: int, hertz: float, seconds: float = 0.5) -> np.ndarray:
    return (np.sin(2 * np.pi * hertz * np.arange(int(rate_hz * seconds)) / rate_hz) * 12_000).astype(np.int16)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(float) ** 2)))


@pytest.mark.parametrize("encoding", list(Encoding))
def test_up_and_down_again(encoding: Encoding) -> None:
    rate_hz = 24_000 if encoding is Encoding.PCM16 else 8_000
    audio_format = AudioFormat(rate_hz, encoding=encoding)
    down = Downlink(HOUSE_RATE_HZ, audio_format)
    original = tone(HOUSE_RATE_HZ, 500)
    sent = down.push(original.tobytes()) + down.flush()
    assert audio_format.seconds(len(sent)) == pytest.approx(0.5, abs=0.001)
    up = Uplink(audio_format)
    back = b"".join(up.push(sent[start : start + 333]) for start in range(0, len(sent), 333))
    samples = np.frombuffer(back, "<i2")
    middle = slice(400, 7_000)
    assert rms(samples[middle] - original[middle].astype(float)) < 12_000 / 20


def test_half_a_sample_waits_for_its_other_half() -> None:
    audio_format = AudioFormat(HOUSE_RATE_HZ)
    up = Uplink(audio_format)
    assert up.push(b"\1") + up.push(b"\2\3") + up.push(b"\4") == b"\1\2\3\4"
