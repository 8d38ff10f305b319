"""Ends of speech are found where they were put."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from entendre.bench.ends import Ends, find_ends, write_ends
from entendre.core.audio import Samples

RATE_HZ = 16_000


def utterance(*, start_s: float, end_s: float, total_s: float, noise: float, level: float = 3000.0) -> Samples:
    chance = np.random.default_rng(3)
    samples = chance.normal(0, noise, int(total_s * RATE_HZ)) if noise else np.zeros(int(total_s * RATE_HZ))
    first, last = int(start_s * RATE_HZ), int(end_s * RATE_HZ)
    # Syllables at 4 Hz: a voice is not steady, and its gaps are no ends.
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(last - first) / RATE_HZ)
    samples[first:last] += level * envelope * chance.normal(0, 1, last - first)
    return np.clip(samples, -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("noise", [0.0, 3.0, 30.0, 150.0], ids="noise {}".format)
@pytest.mark.parametrize("level", [1500.0, 6000.0], ids="level {}".format)
def test_ends_are_found_in_any_noise(noise: float, level: float) -> None:
    ends = find_ends(utterance(start_s=0.4, end_s=1.9, total_s=2.6, noise=noise, level=level), RATE_HZ)
    assert ends.start_s == pytest.approx(0.4, abs=0.05)
    assert ends.end_s == pytest.approx(1.9, abs=0.05)
    assert ends.sure


def test_a_click_after_the_speech_is_not_its_end() -> None:
    samples = utterance(start_s=0.3, end_s=1.2, total_s=2.5, noise=10)
    samples[int(2.0 * RATE_HZ) : int(2.0 * RATE_HZ) + 40] = 20_000
    assert find_ends(samples, RATE_HZ).end_s == pytest.approx(1.2, abs=0.05)


def test_hum_is_no_speech() -> None:
    samples = utterance(start_s=0.5, end_s=1.5, total_s=2.5, noise=5)
    hum = (2000 * np.sin(2 * np.pi * 50 * np.arange(len(samples)) / RATE_HZ)).astype(np.int16)
    ends = find_ends(samples + hum, RATE_HZ)
    assert ends.end_s == pytest.approx(1.5, abs=0.05)


def test_a_slow_fade_is_doubtful() -> None:
    chance = np.random.default_rng(5)
    fade = 10 ** -np.linspace(0, 1.5, 3 * RATE_HZ)  # 10 dB a second
    assert not find_ends((3000 * fade * chance.normal(0, 1, 3 * RATE_HZ)).astype(np.int16), RATE_HZ).sure


def test_silence_holds_no_speech() -> None:
    assert not find_ends(np.zeros(RATE_HZ, dtype=np.int16), RATE_HZ).sure


def test_ends_are_kept_for_everybody_to_check(tmp_path: Path) -> None:
    file = tmp_path / "bench" / "ends.json"
    write_ends(file, {"b": Ends(0.1, 1.2, 0.01), "a": Ends(0.0, 2.0, 0.3)})
    assert json.loads(file.read_text())["b"] == {"start_s": 0.1, "end_s": 1.2, "spread_s": 0.01}
