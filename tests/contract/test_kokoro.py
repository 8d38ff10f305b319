"""The voice in several languages, where it is installed (`entendre models get kokoro`)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from entendre.core.audio import HOUSE_RATE_HZ, samples_of
from entendre.core.errors import ModelError, SynthesisError
from entendre.ports import InferenceCancelled, RecognizerEngine, VoiceEngine

pytest.importorskip("soundfile", reason="needs the speech extra")

from entendre.speech.audio import resample
from entendre.speech.load import load_recognizer, load_voice

pytestmark = pytest.mark.speech
MODELS = Path(os.environ.get("ENTENDRE_SPEECH_MODELS_DIR") or "models")
SAID = {
    "es-MX": ("la luz de la cocina está encendida", "luz"),
    "pt-BR": ("a luz da cozinha está acesa", "luz"),
    "zh-CN": ("厨房的灯已经打开", "厨房"),
    "tr": ("mutfak ışığını açtım", "mutfak"),
    "ms": ("lampu dapur sudah dihidupkan", "lampu"),
    "fil": ("bukas na ang ilaw sa kusina", "ilaw"),
}


@pytest.fixture(scope="module")
def voice() -> VoiceEngine:
    try:
        return load_voice("kokoro", MODELS)
    except ModelError as error:
        pytest.skip(error.public_message)


@pytest.fixture(scope="module")
def ears() -> RecognizerEngine:
    try:
        return load_recognizer("whisper-base", MODELS, 1)
    except ModelError as error:
        pytest.skip(error.public_message)


@pytest.mark.parametrize("language", SAID)
def test_a_recognizer_understands_it(voice: VoiceEngine, ears: RecognizerEngine, language: str) -> None:
    text, word = SAID[language]
    sound = samples_of(b"".join(voice.synthesize(text, language=language, cancelled=lambda: False)))
    heard = ears.recognize(resample(sound, voice.rate_hz, HOUSE_RATE_HZ), language=language, cancelled=lambda: False)
    assert word in heard.text.casefold()


def test_a_sentence_is_a_chunk(voice: VoiceEngine) -> None:
    assert len(list(voice.synthesize("Uno. Dos.", language="es", cancelled=lambda: False))) == 2
    assert not list(voice.synthesize(" … ", language="es", cancelled=lambda: False))


def test_it_stops_when_told(voice: VoiceEngine) -> None:
    with pytest.raises(InferenceCancelled):
        list(voice.synthesize("Uno.", language="es", cancelled=lambda: True))


def test_what_it_does_not_speak_is_refused(voice: VoiceEngine) -> None:
    with pytest.raises(SynthesisError):
        list(voice.synthesize("Hallo.", language="de", cancelled=lambda: False))
