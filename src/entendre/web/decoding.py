"""Audio files to house audio and house audio to files, off the event loop."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import InvalidInputError, MissingExtraError

READ_FRAMES = 1 << 16
MAX_CHANNELS = 8
MIN_RATE_HZ, MAX_RATE_HZ = 4_000, 192_000


@dataclass(frozen=True, slots=True)
class Decoded:
    """An audio file as house audio."""

    samples: Samples
    seconds: float


def decode_file(data: bytes, max_s: float) -> Decoded:
    """House audio of a WAV, FLAC, Ogg or MP3 file. Blocks: call it in a thread.

    Raises: InvalidInputError for what is no such file or too long, MissingExtraError.
    """
    try:
        import soundfile
        import soxr
    except ImportError:
        raise MissingExtraError("Audio files need the speech extra: pip install 'entendre[speech]'.") from None
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate_hz = file.samplerate
            if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ or file.channels > MAX_CHANNELS:
                raise InvalidInputError("The audio's sample rate or number of channels is not supported.")
            frames = 0
            pieces: list[NDArray[np.float32]] = []
            at_house_rate = soxr.ResampleStream(rate_hz, HOUSE_RATE_HZ, 1) if rate_hz != HOUSE_RATE_HZ else None
            # The header's length is the sender's claim, so that only what was really decoded counts.
            while len(piece := file.read(READ_FRAMES, dtype="float32", always_2d=True)):
                frames += len(piece)
                if frames > max_s * rate_hz:
                    raise InvalidInputError(f"The audio is longer than {max_s:.0f} s.")
                mono = np.nan_to_num(piece.mean(axis=1))
                pieces.append(mono if at_house_rate is None else at_house_rate.resample_chunk(mono))
            if at_house_rate is not None:
                pieces.append(at_house_rate.resample_chunk(np.zeros(0, dtype=np.float32), last=True))
    except (soundfile.LibsndfileError, ValueError, OSError):
        raise InvalidInputError("The file is not audio that can be read: send WAV, FLAC, Ogg or MP3.") from None
    whole = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)
    samples = np.clip(np.rint(whole * 32767), -32768, 32767).astype(np.int16)
    return Decoded(samples, frames / rate_hz)


FILE_FORMATS = {
    "flac": ("FLAC", "PCM_16", "audio/flac"),
    "opus": ("OGG", "OPUS", "audio/ogg"),
    "mp3": ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
}
"""Formats that are encoded as a whole, if this machine's libsndfile can: its names and the media type."""


def can_encode(file_format: str) -> bool:
    """Whether this machine can write such files."""
    try:
        import soundfile
    except ImportError:
        return False
    container, codec, _ = FILE_FORMATS[file_format]
    return container in soundfile.available_formats() and codec in soundfile.available_subtypes(container)


def encode_file(pcm16: bytes, rate_hz: int, file_format: str) -> bytes:
    """A file of mono PCM16. Blocks: call it in a thread."""
    import soundfile
    import soxr

    samples = np.frombuffer(pcm16, dtype="<i2")
    if file_format == "opus" and rate_hz not in (8_000, 12_000, 16_000, 24_000, 48_000):
        samples, rate_hz = soxr.resample(samples, rate_hz, 24_000), 24_000
    container, codec, _ = FILE_FORMATS[file_format]
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format=container, subtype=codec)
    return file.getvalue()


def wav_header(rate_hz: int, data_bytes: int | None = None, *, channels: int = 1) -> bytes:
    """A WAV header of PCM16; of unknown length where the audio is still being made."""
    size = 0xFFFFFFFF if data_bytes is None else data_bytes
    whole = 0xFFFFFFFF if data_bytes is None else data_bytes + 36
    frame_bytes = 2 * channels
    fields = [b"RIFF", whole.to_bytes(4, "little"), b"WAVEfmt ", (16).to_bytes(4, "little")]
    fields += [(1).to_bytes(2, "little"), channels.to_bytes(2, "little"), rate_hz.to_bytes(4, "little")]
    fields += [(rate_hz * frame_bytes).to_bytes(4, "little"), frame_bytes.to_bytes(2, "little")]
    return b"".join([*fields, (16).to_bytes(2, "little"), b"data", size.to_bytes(4, "little")])
