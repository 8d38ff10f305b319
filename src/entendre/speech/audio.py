"""Sound in and out: files, rates and streams of any rate, to and from the house format."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import InvalidInputError, MissingExtraError

try:
    import soundfile
    import soxr
except ImportError as _error:
    raise MissingExtraError(
        "Sound files need the speech extra: `pip install 'entendre[speech]'`.", detail=str(_error)
    ) from _error

LONGEST_FILE_S = 3_600.0
MAX_CHANNELS = 16
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 4_000, 384_000


def read_audio(source: Path | bytes, *, longest_s: float = LONGEST_FILE_S) -> Samples:
    """A sound file (WAV, FLAC, OGG, MP3 …) in the house format, channels mixed. Raises: InvalidInputError."""
    stream: BinaryIO | str = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        with soundfile.SoundFile(stream) as file:
            if not LOWEST_RATE_HZ <= file.samplerate <= HIGHEST_RATE_HZ or file.channels > MAX_CHANNELS:
                raise InvalidInputError("The sound file has an unusual rate or too many channels.")
            if file.frames > longest_s * file.samplerate:
                raise InvalidInputError(f"The sound is longer than {longest_s:g} s.")
            audio: NDArray[np.float32] = file.read(dtype="float32", always_2d=True)
            rate_hz = file.samplerate
    except (soundfile.SoundFileError, OSError, ValueError, MemoryError) as error:
        raise InvalidInputError("The sound file cannot be read.", detail=str(error)) from error
    mono = audio.mean(axis=1) if audio.shape[1] > 1 else audio[:, 0]
    return to_samples(soxr.resample(mono, rate_hz, HOUSE_RATE_HZ) if rate_hz != HOUSE_RATE_HZ else mono)


def to_samples(audio: NDArray[np.float32]) -> Samples:
    """Floats of -1 to 1 as samples; louder is clipped."""
    samples: Samples = np.clip(np.round(audio * 32768.0), -32768, 32767).astype(np.int16)
    return samples


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """A whole sound at another rate."""
    if from_hz == to_hz or not len(samples):
        return samples
    changed: Samples = soxr.resample(samples, from_hz, to_hz)
    return changed


def wav_bytes(pcm16: bytes, rate_hz: int) -> bytes:
    """Mono PCM16 as a WAV file."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm16)
    return stream.getvalue()


def write_audio(path: Path, pcm16: bytes, rate_hz: int) -> None:
    """Write mono PCM16 as WAV, FLAC or OGG, by the file's name. Raises: InvalidInputError."""
    if path.suffix.lower() in ("", ".wav"):
        path.write_bytes(wav_bytes(pcm16, rate_hz))
        return
    try:
        soundfile.write(str(path), np.frombuffer(pcm16, "<i2"), rate_hz)
    except (soundfile.SoundFileError, TypeError, ValueError, OSError) as error:
        raise InvalidInputError(f"{path.name} cannot be written.", detail=str(error)) from error
