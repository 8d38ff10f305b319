from __future__ import annotations

import numpy as np
import pytest

from entendre.core.audio import Samples
from entendre.speech.gated import GatedVad

FRAME = 512


class SureVad:
    """Says the same of everything."""

    name = "sure"
    frame_samples = FRAME

    def __init__(self, score: float = 0.9) -> None:
        self._waiting = 0
        self._score = score

    def open(self) -> SureVad:
        return SureVad(self._score)

    def push(self, audio: Samples) -> list[float]:
        frames, self._waiting = divmod(self._waiting + len(audio), FRAME)
        return [self._score] * frames

    def reset(self) -> None:
        self._waiting = 0


def noise(frames: int, level: float, seed: int = 1) -> Samples:
    return (np.random.default_rng(seed).standard_normal(frames * FRAME) * level).astype(np.int16)


def test_what_falls_back_to_the_rooms_noise_is_silence() -> None:
    scores = GatedVad(SureVad()).open().push(np.concatenate([noise(10, 100), noise(20, 5000), noise(10, 110)]))
    assert scores[10:30] == [0.9] * 20
    assert scores[30:] == [0.0] * 10


def test_speech_barely_above_loud_noise_is_never_gated() -> None:
    scores = GatedVad(SureVad()).open().push(np.concatenate([noise(10, 2000), noise(20, 2800), noise(10, 2000)]))
    assert scores == [0.9] * 40


@pytest.mark.parametrize("piece", [1, 100, 511, 513, 4000])
def test_pieces_of_any_length_score_alike(piece: int) -> None:
    audio = np.concatenate([noise(5, 100), noise(5, 5000), noise(5, 100)])
    whole, stream = GatedVad(SureVad()).open().push(audio), GatedVad(SureVad()).open()
    scores = [score for start in range(0, len(audio), piece) for score in stream.push(audio[start : start + piece])]
    assert scores == whole


def test_reset_forgets_the_voice() -> None:
    stream = GatedVad(SureVad()).open()
    stream.push(noise(10, 5000))
    stream.reset()
    assert stream.push(noise(3, 100)) == [0.9] * 3


def test_loud_sound_that_the_vad_does_not_rule_out_counts_as_speech() -> None:
    audio = np.concatenate([noise(10, 100), noise(5, 5000)])
    assert GatedVad(SureVad(0.15)).open().push(audio)[10:] == [0.5] * 5
    assert GatedVad(SureVad(0.05)).open().push(audio)[10:] == [0.05] * 5
    assert GatedVad(SureVad(0.15)).open().push(noise(15, 5000)) == [0.15] * 15
