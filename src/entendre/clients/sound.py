"""Sound files in and out."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np

from entendre.core.audio import Samples
from entendre.core.errors import InvalidInputError, MissingExtraError

LONGEST_FILE_S = 600.0
"""A longer file is no utterance, and is refused before it fills the memory."""


def read_sound(file: Path, rate_hz: int) -> Samples:
    """A sound file as mono samples at a rate. WAV needs nothing more; other formats and rates need the speech extra.

    Raises: InvalidInputError, MissingExtraError.
    """
    if not file.is_file():
        raise InvalidInputError(f"There is no sound file {file}.")
    samples, file_rate_hz = _read_wav(file) or _read_other(file)
    if len(samples) > LONGEST_FILE_S * file_rate_hz:
        raise InvalidInputError(f"{file} is longer than {LONGEST_FILE_S:.0f} s.")
    return samples if file_rate_hz == rate_hz else resampled(samples, file_rate_hz, rate_hz)


def resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Samples at another rate. Raises: MissingExtraError."""
    if from_hz == to_hz:
        return samples
    soxr: Any = _needed("soxr")
    changed: Samples = soxr.resample(samples, from_hz, to_hz)
    return changed


def write_wav(file: Path, pcm16: bytes, rate_hz: int) -> None:
    """Write mono PCM16 as a WAV file, with the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(rate_hz)
        sink.writeframes(pcm16)


def _read_wav(file: Path) -> tuple[Samples, int] | None:
    try:
        with wave.open(str(file), "rb") as source:
            if source.getsampwidth() != 2:
                return None
            frames = source.readframes(int(LONGEST_FILE_S + 1) * source.getframerate())
            samples = np.frombuffer(frames, dtype="<i2").reshape(-1, source.getnchannels())
            return _mono(samples), source.getframerate()
    except (wave.Error, EOFError):
        return None


def _read_other(file: Path) -> tuple[Samples, int]:
    soundfile: Any = _needed("soundfile")
    try:
        samples, rate_hz = soundfile.read(str(file), dtype="int16", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise InvalidInputError(f"{file} is no sound file that can be read.", detail=str(error)) from error
    return _mono(samples), int(rate_hz)


def _mono(samples: Samples) -> Samples:
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    mixed: Samples = samples.mean(axis=1).astype(np.int16)
    return mixed


def _needed(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"Reading this sound needs {name}: pip install 'entendre[speech]', or give a WAV file of the right rate."
        ) from error
