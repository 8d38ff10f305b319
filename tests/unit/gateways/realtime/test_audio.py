"""Sample rates and encodings as streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entendre.core.audio import HOUSE_RATE_HZ, AudioFormat, Encoding
from entendre.gateways.realtime.audio import Downlink, Resampler, Uplink


def tone(rate_hz: int, hertz: float, seconds: float = 0.5) -> np.ndarray:
    return (np.sin(2 * np.pi * hertz * np.arange(int(rate_hz * seconds)) / rate_hz) * 12_000).astype(np.int16)


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(float) ** 2)))


RATES = [(24_000, 16_000), (8_000, 16_000), (22_050, 24_000), (24_000, 8_000), (16_000, 24_000), (44_100, 8_000)]


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_tone_stays_the_same_tone(from_hz: int, to_hz: int) -> None:
    resampler = Resampler(from_hz, to_hz)
    heard = np.concatenate((resampler.push(tone(from_hz, 1_000)), resampler.flush()))
    wanted = tone(to_hz, 1_000)
    assert len(heard) == len(wanted)
    middle = slice(200, -200)
    assert rms(heard[middle] - wanted[middle].astype(float)) < 12_000 / 1_000


@pytest.mark.parametrize(("from_hz", "to_hz"), [(24_000, 16_000), (24_000, 8_000), (44_100, 8_000)])
def test_what_the_new_rate_cannot_carry_is_removed(from_hz: int, to_hz: int) -> None:
    assert rms(Resampler(from_hz, to_hz).push(tone(from_hz, to_hz * 0.6))[200:]) < 60


@settings(max_examples=40)
@given(st.sampled_from(RATES), st.lists(st.integers(0, 700), min_size=1, max_size=12))
def test_how_a_stream_is_cut_makes_no_difference(rates: tuple[int, int], cuts: list[int]) -> None:
    samples = tone(rates[0], 440, 0.2)
    whole, pieces = Resampler(*rates), Resampler(*rates)
    expected = np.concatenate((whole.push(samples), whole.flush()))
    said, at = [], 0
    for cut in cuts:
        said.append(pieces.push(samples[at : at + cut]))
        at += cut
    said += [pieces.push(samples[at:]), pieces.flush()]
    got = np.concatenate(said)
    assert len(got) == len(expected)
    assert np.abs(got.astype(int) - expected).max() <= 1, "a sum in another order may round the other way"


def test_the_delay_is_a_millisecond() -> None:
    heard = len(Resampler(24_000, HOUSE_RATE_HZ).push(tone(24_000, 440, 0.02)))
    assert heard >= 320 - 20


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
