"""What a wake word engine must do: hear its words once, nothing else, and keep streams apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import InvalidInputError, ModelError
from entendre.ports import WakeWord

pytest.importorskip("soundfile", reason="needs the speech extra")

from entendre.bench.hearing import recordings
from entendre.speech.microwake import MicroWakeWords

pytestmark = pytest.mark.speech
SECOND = np.zeros(HOUSE_RATE_HZ, np.int16)


@pytest.fixture(scope="module")
def engine() -> WakeWord:
    try:
        return MicroWakeWords()
    except ModelError as error:
        pytest.skip(error.public_message)


def spoken(folder: Path, word: str) -> list[Samples]:
    found = recordings(folder, "speech/wake") + recordings(folder, "commands/en")
    return [recording.samples() for recording in found if recording.text.lower().replace(",", "") == word]


def heard(engine: WakeWord, audio: Samples, words: tuple[str, ...]) -> list[str]:
    detections = engine.open(words).push(np.concatenate((SECOND, audio, SECOND)))
    assert all(1.0 < detection.end_s < 2.0 + len(audio) / HOUSE_RATE_HZ for detection in detections)
    return [detection.word for detection in detections]


@pytest.mark.parametrize(
    ("word", "share"), [("alexa", 0.95), ("hey jarvis", 0.75), ("hey mycroft", 0.75), ("okay nabu", 0.6)]
)
def test_words_are_heard_once(engine: WakeWord, speech_data: Path, word: str, share: float) -> None:
    sounds = spoken(speech_data, word)[:40]
    found = [heard(engine, sound, (word,)) for sound in sounds]
    assert len(sounds) >= 15
    assert sum(1 for words in found if words == [word]) >= share * len(sounds)


def test_other_speech_and_noise_wake_nobody(engine: WakeWord, speech_data: Path) -> None:
    stream = engine.open(engine.words)
    woken: list[str] = []
    for under in ("speech/noise", "speech/commands_ml", "speech/asr_read"):
        for recording in recordings(speech_data, under):
            woken += [detection.word for detection in stream.push(recording.samples())]
    assert woken == []


def test_pieces_and_streams_are_independent(engine: WakeWord, speech_data: Path) -> None:
    audio = np.concatenate((SECOND, spoken(speech_data, "alexa")[0], SECOND))
    whole = engine.open(("alexa",)).push(audio)
    one, other = engine.open(("alexa",)), engine.open(("alexa",))
    found = []
    for place in range(0, len(audio), 333):
        found += one.push(audio[place : place + 333])
        assert other.push(np.zeros(333, np.int16)) == []
    assert [detection.word for detection in found] == [detection.word for detection in whole] == ["alexa"]
    one.reset()
    again = one.push(audio)
    assert again[0].end_s == pytest.approx(whole[0].end_s, abs=0.03)


def test_unknown_words_are_refused(engine: WakeWord) -> None:
    with pytest.raises(InvalidInputError, match="hey jarvis"):
        engine.open(("open sesame",))
    assert engine.open(("OKAY_Nabu",)).push(SECOND) == []
