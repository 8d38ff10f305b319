"""Everything that hears and speaks, chosen from settings and from what is installed, loaded and warmed up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from entendre.config import Settings
from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import ConfigurationError, InvalidInputError, MissingExtraError, ModelError
from entendre.core.tags import base_tag, tags_of
from entendre.ports import Recognizer, RecognizerEngine, Vad, Voice, VoiceEngine, WakeWord
from entendre.speech.cache import CachedVoice, ReplyCache
from entendre.speech.catalogue import Installed, catalogue, find_model, locate, require, verify
from entendre.speech.heard import SpokenOnly
from entendre.speech.pool import InferencePool, PooledRecognizer, PooledVoice, Urgency

DEFAULT = "default"
NONE = "none"
Engine = TypeVar("Engine")
MEGABYTE = 1 << 20
_WYOMING, _HTTP = "tcp://", ("http://", "https://")


@dataclass(slots=True)
class Speech:
    """What hears and speaks. `draft_recognizer` is the same engine at a lower urgency, for pauses."""

    pool: InferencePool
    recognizer: Recognizer | None
    draft_recognizer: Recognizer | None
    voices: tuple[Voice, ...]
    vad: Vad | None
    wake_word: WakeWord | None
    replies: ReplyCache

    def voice_for(self, language: str) -> Voice | None:
        """The preferred voice that speaks a language, by its base language if need be."""
        return voice_for(self.voices, language)

    def hears(self, language: str) -> bool:
        """Whether the recognizer knows a language."""
        known = self.recognizer.languages if self.recognizer else frozenset()
        return any("*" in known or tag in known or base_tag(tag) in known for tag in tags_of(language))

    def close(self) -> None:
        """Stop inference; what runs is told to stop."""
        self.pool.close()


def voice_for(voices: Sequence[Voice], language: str) -> Voice | None:
    """The first voice that speaks a language, by its base language if need be."""
    base = language.split("-")[0].lower()
    for voice in voices:
        if "*" in voice.languages or language.lower() in voice.languages or base in voice.languages:
            return voice
    return None


@contextmanager
def load_voices(settings: Settings) -> Iterator[tuple[Voice, ...]]:
    """Only the voices, for commands that don't listen. Raises: as `load_speech`."""
    pool = InferencePool(1)
    try:
        yield _voices(settings, settings.models_dir.expanduser(), pool, ReplyCache(memory_bytes=0))
    finally:
        pool.close()


def load_speech(settings: Settings) -> Speech:
    """Load and warm up every engine, in parallel. Blocking: seconds.

    Raises: ModelError or MissingExtraError that says which command helps, ConfigurationError.
    """
    speech = settings.speech
    folder = settings.models_dir.expanduser()
    workers = speech.threads or os.cpu_count() or 1
    pool = InferencePool(workers, waiting_limit=settings.limits.inference_queue, reply_workers=1)
    replies = ReplyCache(
        memory_bytes=speech.reply_cache_memory_mb * MEGABYTE,
        disk_bytes=speech.reply_cache_disk_mb * MEGABYTE,
        folder=settings.reply_cache_dir.expanduser(),
    )
    try:
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="load") as loaders:
            ears = loaders.submit(_recognizers, settings, folder, workers, pool)
            voices = loaders.submit(_voices, settings, folder, pool, replies)
            vad = loaders.submit(_vad, settings, folder)
            wake_word = loaders.submit(_load_wake_word, folder, speech.wake_words)
            recognizer, draft = ears.result()
            return Speech(pool, recognizer, draft, voices.result(), vad.result(), wake_word.result(), replies)
    except BaseException:
        pool.close()
        raise


def load_recognizer(name: str, models_dir: Path, workers: int) -> RecognizerEngine:
    """A recognizer of the catalogue, checked, loaded and warmed up. Raises: ModelError, MissingExtraError."""
    installed = require(name, models_dir)
    with ThreadPoolExecutor(max_workers=1) as checker:
        checked = checker.submit(verify, installed)
        engine = _built(installed, lambda: _recognizer_engine(installed, workers))
        checked.result()
    warm = "en" if "en" in engine.languages else min(engine.languages)
    engine.recognize(_hum(), language=warm, cancelled=lambda: False)
    gate = find_model("silero")
    present = locate(gate, models_dir)
    return SpokenOnly(engine, load_vad(gate.name, models_dir)) if present else engine


def measure_recognition(name: str, models_dir: Path) -> float:
    """Seconds that a recognizer takes for two seconds of speech on this machine. Raises: as `load_recognizer`."""
    installed = require(name, models_dir)
    engine = _built(installed, lambda: _recognizer_engine(installed, 1))
    language = "en" if "en" in engine.languages else min(engine.languages)
    hum = np.concatenate((_hum(), _hum()))
    times_s = []
    for _ in range(2):
        began_s = time.perf_counter()
        engine.recognize(hum, language=language, cancelled=lambda: False)
        times_s.append(time.perf_counter() - began_s)
    return min(times_s)


def load_voice(name: str, models_dir: Path) -> VoiceEngine:
    """A voice of the catalogue, checked and loaded. Raises: ModelError, MissingExtraError."""
    installed = require(name, models_dir)
    verify(installed)
    return _built(installed, lambda: _voice_engine(installed))


def chosen_name(setting: str, kind: str, language: str, models_dir: Path) -> str:
    """The model that a setting means; "default" is the first installed one that knows the language.

    Raises: ConfigurationError, ModelError.
    """
    if setting != DEFAULT:
        try:
            model = find_model(setting)
        except InvalidInputError as error:
            raise ConfigurationError(error.public_message) from error
        if model.kind != kind:
            raise ConfigurationError(f"{setting} is no {kind}; `entendre models list` names them.")
        return setting
    fitting = [model for model in catalogue() if model.kind == kind and model.speaks_all(language)]
    for model in fitting:
        if locate(model, models_dir):
            return model.name
    if not fitting:
        raise ConfigurationError(f"No {kind} of the catalogue knows the language {language}.")
    raise ModelError(f"No {kind} is installed; `entendre models get {fitting[0].name}` gets one.")


def _recognizers(
    settings: Settings, folder: Path, workers: int, pool: InferencePool
) -> tuple[Recognizer | None, Recognizer | None]:
    speech = settings.speech
    if speech.recognizer == NONE:
        return None, None
    remote = _remote_recognizer(settings)
    if remote is not None:
        return remote, remote
    name = chosen_name(speech.recognizer, "recognizer", settings.server.language, folder)
    engine = load_recognizer(name, folder, workers)
    return PooledRecognizer(engine, pool, Urgency.FINAL), PooledRecognizer(engine, pool, Urgency.DRAFT)


def _voices(settings: Settings, folder: Path, pool: InferencePool, replies: ReplyCache) -> tuple[Voice, ...]:
    if settings.speech.voice == NONE:
        return ()
    remote = _remote_voice(settings)
    if remote is not None:
        return (CachedVoice(remote, replies),)
    names = [model.name for model in catalogue() if model.kind == "voice" and locate(model, folder)]
    if settings.speech.voice != DEFAULT or not names:
        preferred = chosen_name(settings.speech.voice, "voice", settings.language, folder)
        names = [preferred, *(name for name in names if name != preferred)]
    return tuple(CachedVoice(PooledVoice(load_voice(name, folder), pool), replies) for name in names)


def _vad(settings: Settings, folder: Path) -> Vad | None:
    """The VAD, or None where nothing listens."""
    if NONE in (settings.speech.vad, settings.speech.recognizer):
        return None
    return load_vad(settings.speech.vad, folder)


def load_vad(setting: str, folder: Path) -> Vad:
    """A VAD of the catalogue, checked and loaded. Raises: ModelError, MissingExtraError."""
    installed = require(chosen_name(setting, "vad", "en", folder), folder)
    verify(installed)
    return _built(installed, lambda: _vad_engine(installed))


def _load_wake_word(folder: Path, words: tuple[str, ...]) -> WakeWord | None:
    """The wake word engine; missing is an error only if wake words are asked for."""
    model = find_model("microwakeword")
    installed = require(model.name, folder) if words else locate(model, folder)
    if installed is None:
        return None
    verify(installed)
    engine = _built(installed, lambda: _wake_engine(installed))
    engine.open(words)
    return engine


def _remote_recognizer(settings: Settings) -> Recognizer | None:
    speech = settings.speech
    if speech.recognizer.startswith(_WYOMING):
        from entendre.speech.remote_wyoming import WyomingRecognizer

        return WyomingRecognizer(speech.recognizer)
    if speech.recognizer.startswith(_HTTP):
        from entendre.speech.remote_openai import OpenAIRecognizer

        return OpenAIRecognizer(speech.recognizer, speech.recognizer_model, speech.recognizer_key)
    return None


def _remote_voice(settings: Settings) -> Voice | None:
    speech = settings.speech
    if speech.voice.startswith(_WYOMING):
        from entendre.speech.remote_wyoming import WyomingVoice

        return WyomingVoice(speech.voice, speech.voice_name)
    if speech.voice.startswith(_HTTP):
        from entendre.speech.remote_openai import OpenAIVoice

        return OpenAIVoice(speech.voice, speech.voice_model, speech.voice_name, speech.voice_key)
    return None


def _built(installed: Installed, build: Callable[[], Engine]) -> Engine:
    try:
        return build()
    except ImportError as error:
        extra = "sherpa" if installed.model.engine == "sherpa" else "speech"
        raise MissingExtraError(
            f"{installed.model.name} needs the {extra} extra: `pip install 'entendre[{extra}]'`.", detail=str(error)
        ) from error


def _recognizer_engine(installed: Installed, workers: int) -> RecognizerEngine:
    if installed.model.engine == "whisper":
        from entendre.speech.whisper import WhisperRecognizer

        model = installed.model
        return WhisperRecognizer(model.name, installed.files, workers=workers, scripts=model.scripts)
    if installed.model.engine == "sherpa":
        from entendre.speech.sherpa import SherpaRecognizer

        model = installed.model
        return SherpaRecognizer(model.name, model.design, installed.files, model.languages)
    from entendre.speech.moonshine import MoonshineRecognizer

    return MoonshineRecognizer(installed.model.name, installed.files)


def _voice_engine(installed: Installed) -> VoiceEngine:
    if installed.model.engine == "hibari":
        from entendre.speech.hibari import HibariVoice

        return HibariVoice()
    if installed.model.engine == "kokoro":
        from entendre.speech.kokoro import KokoroVoice

        return KokoroVoice(installed.files)
    from entendre.speech.espeak import EspeakVoice

    return EspeakVoice(next(iter(installed.files.values())))


def _vad_engine(installed: Installed) -> Vad:
    if installed.model.engine == "silero":
        from entendre.speech.silero import SileroVad

        return SileroVad(installed.files["silero_vad.onnx"])
    from entendre.speech.earshot import EarshotVad

    return EarshotVad()


def _wake_engine(installed: Installed) -> WakeWord:
    from entendre.speech.microwake import MicroWakeWords

    return MicroWakeWords()


def _hum() -> Samples:
    """A second of something that is not silence, to warm an engine up with."""
    wave = np.sin(np.arange(HOUSE_RATE_HZ) * (2 * np.pi * 220 / HOUSE_RATE_HZ)) * 8000
    hum: Samples = wave.astype(np.int16)
    return hum
