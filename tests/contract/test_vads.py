"""What every VAD must do: find speech soon, let go of it soon, and keep streams apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import ModelError
from entendre.ports import Vad

pytest.importorskip("soundfile", reason="needs the speech extra")

from entendre.bench.hearing import recordings
from entendre.speech.load import load_vad

pytestmark = pytest.mark.speech
NAMES = ("silero", "earshot")
STEADY_NOISE_IS_SPEECH = frozenset({"earshot"})
"""Documented: earshot takes white and pink noise for speech, which is why it is not the default."""


@pytest.fixture(scope="module", params=NAMES)
def vad(request: pytest.FixtureRequest) -> Vad:
    try:
        return load_vad(request.param, Path("models"))
    except ModelError as error:
        pytest.skip(error.public_message)


def edges_s(audio: Samples) -> tuple[float, float]:
    """Where a clean recording starts and ends to sound, by its energy."""
    block = HOUSE_RATE_HZ // 100
    energy = np.sqrt((audio[: len(audio) // block * block].astype(float).reshape(-1, block) ** 2).mean(axis=1))
    loud = np.flatnonzero(energy > max(energy.max() * 0.02, 20))
    return loud[0] / 100, (loud[-1] + 1) / 100


def clean_commands(folder: Path) -> list[Samples]:
    found = [recording for recording in recordings(folder, "commands/en") if recording.kind == "command"]
    return [recording.samples() for recording in found[::10]]


def test_onset_and_end_of_clean_speech(vad: Vad, speech_data: Path) -> None:
    second = np.zeros(HOUSE_RATE_HZ, np.int16)
    onsets, ends = [], []
    for audio in clean_commands(speech_data):
        start_s, end_s = edges_s(audio)
        stream = vad.open()
        speech = np.array(stream.push(np.concatenate((second, audio[: int(end_s * HOUSE_RATE_HZ)], second)))) > 0.5
        times_s = (np.arange(len(speech)) + 1) * stream.frame_samples / HOUSE_RATE_HZ - 1.0
        assert not speech[times_s < start_s - 0.05].any()
        onsets.append(times_s[speech][0] - start_s)
        ends.append(times_s[speech][-1] - end_s)
    assert np.median(onsets) < 0.08
    assert np.percentile(onsets, 90) < 0.15
    assert np.median(ends) < 0.09
    assert np.percentile(ends, 95) < 0.15


def test_noise_is_no_speech(vad: Vad, speech_data: Path) -> None:
    for recording in recordings(speech_data, "speech/noise"):
        steady = "white" in recording.path.name or "pink" in recording.path.name
        if steady and vad.name in STEADY_NOISE_IS_SPEECH:
            continue
        scores = np.array(vad.open().push(recording.samples()[: 20 * HOUSE_RATE_HZ]))
        assert (scores > 0.5).mean() < 0.12, recording.path.name


def test_pieces_of_any_length_give_the_same_scores(vad: Vad, speech_data: Path) -> None:
    audio = clean_commands(speech_data)[0]
    whole = vad.open().push(audio)
    stream = vad.open()
    rng = np.random.default_rng(1)
    pieces: list[float] = []
    place = 0
    while place < len(audio):
        step = int(rng.integers(0, 900))
        pieces += stream.push(audio[place : place + step])
        place += step
    assert pieces == pytest.approx(whole)
    assert len(whole) == len(audio) // stream.frame_samples


def test_streams_are_apart_and_reset_forgets(vad: Vad, speech_data: Path) -> None:
    first, second = clean_commands(speech_data)[:2]
    alone = vad.open().push(second)
    one, other = vad.open(), vad.open()
    mixed: list[float] = []
    for place in range(0, len(second), 640):
        one.push(first[place : place + 640])
        mixed += other.push(second[place : place + 640])
    assert mixed == pytest.approx(alone[: len(mixed)])
    one.reset()
    assert one.push(second) == pytest.approx(alone)


def test_nothing_and_extremes(vad: Vad) -> None:
    stream = vad.open()
    assert stream.push(np.zeros(0, np.int16)) == []
    loud = np.tile(np.array([32767, -32768], np.int16), HOUSE_RATE_HZ)
    assert all(0.0 <= score <= 1.0 for score in stream.push(loud))
