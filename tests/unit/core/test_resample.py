"""Sample rates of streams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entendre.core.audio import HOUSE_RATE_HZ
from entendre.core.resample import PcmResampler, Resampler


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


@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(48_000, 16_000), (44_100, 16_000), (8_000, 16_000), (24_000, 22_050)]
)
def test_a_tone_keeps_its_length_pitch_and_loudness(rate_in: int, rate_out: int) -> None:
    resampler = PcmResampler(rate_in, rate_out)
    data = tone(rate_in, 440).tobytes()
    pieces = [resampler.push(data[start : start + 333]) for start in range(0, len(data), 333)]
    out = np.frombuffer(b"".join([*pieces, resampler.flush()]), dtype="<i2")
    assert abs(len(out) - rate_out // 2) <= 2
    middle = slice(len(out) // 4, -len(out) // 4)
    expected = tone(rate_out, 440)[: len(out)]
    assert np.abs(out[middle].astype(int) - expected[middle]).max() < 200


def test_equal_rates_pass_through_and_keep_half_samples() -> None:
    resampler = PcmResampler(16_000, 16_000)
    data = tone(16_000, 440).tobytes()
    assert resampler.push(data[:101]) == data[:100]
    assert resampler.push(data[101:]) == data[100:]
    assert resampler.flush() == b""


@pytest.mark.parametrize(("from_hz", "to_hz"), [(44_099, 16_000), (8_000, 191_999), (15_999, 16_000)])
def test_odd_rates_cost_no_more_memory_than_others(from_hz: int, to_hz: int) -> None:
    resampler = Resampler(from_hz, to_hz)
    heard = np.concatenate((resampler.push(tone(from_hz, 1_000)), resampler.flush()))
    assert abs(len(heard) - to_hz // 2) <= 1


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        Resampler(0, 16_000)
