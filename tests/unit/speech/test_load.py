"""What is chosen from settings, without loading anything heavy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from entendre.config import Settings
from entendre.core.errors import ConfigurationError, ModelError
from entendre.speech import load
from entendre.speech.load import chosen_name, load_speech, voice_for
from entendre.speech.remote_openai import OpenAIRecognizer
from entendre.speech.remote_wyoming import WyomingVoice


def settings(tmp_path: Path, **speech: str) -> Settings:
    base = Settings()
    server = replace(base.server, data_dir=tmp_path)
    return replace(base, server=server, speech=replace(base.speech, **speech))


def test_without_ears_and_voice_nothing_is_needed(tmp_path: Path) -> None:
    speech = load_speech(settings(tmp_path, recognizer="none", voice="none"))
    assert (speech.recognizer, speech.vad, speech.voices) == (None, None, ())
    assert speech.voice_for("en") is None
    assert not speech.hears("en")
    speech.close()


def test_engines_elsewhere_are_not_asked_before_they_are_used(tmp_path: Path) -> None:
    addresses = {"recognizer": "http://127.0.0.1:1/v1", "voice": "tcp://127.0.0.1:1"}
    speech = load_speech(settings(tmp_path, vad="none", **addresses))
    assert isinstance(speech.recognizer, OpenAIRecognizer)
    assert isinstance(speech.voices[0]._voice, WyomingVoice)  # type: ignore[attr-defined]
    assert speech.voice_for("sw") is speech.voices[0]
    assert speech.hears("sw")
    speech.close()


def test_a_wrong_name_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="parrot"):
        chosen_name("parrot", "voice", "en", tmp_path)
    with pytest.raises(ConfigurationError, match="no voice"):
        chosen_name("silero", "voice", "en", tmp_path)


def test_nothing_installed_says_what_to_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "locate", lambda model, folder: None)
    with pytest.raises(ModelError, match="entendre models get whisper-base"):
        chosen_name("default", "recognizer", "pt-BR", tmp_path)
    with pytest.raises(ModelError, match="entendre models get silero"):
        chosen_name("default", "vad", "en", tmp_path)


def test_the_first_voice_that_speaks_a_language() -> None:
    class Named:
        def __init__(self, name: str, *languages: str) -> None:
            self.name, self.languages = name, frozenset(languages)

    english, some, every = Named("a", "en"), Named("b", "es-419", "pt"), Named("c", "*")
    pick = lambda language, *voices: getattr(voice_for(voices, language), "name", None)  # noqa: E731
    assert pick("en-GB", english, every) == "a"
    assert pick("es-419", english, some) == "b"
    assert pick("pt-BR", english, some) == "b"
    assert pick("es-MX", english, some) is None
    assert pick("es-MX", english, some, every) == "c"
