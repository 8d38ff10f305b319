"""Any linear PCM that a device sends as mono 16-bit PCM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entendre.core.errors import InvalidInputError

_SIGNED_24_BYTES = 3


def to_mono_pcm16(audio: bytes, *, width_bytes: int, channels: int) -> bytes:
    """Any linear PCM as mono PCM16: channels are averaged, 8 bit is unsigned as in WAV files.

    Raises: InvalidInputError if the bytes are no whole frames.
    """
    if len(audio) % (width_bytes * channels):
        raise InvalidInputError("The audio is no whole number of frames.")
    if width_bytes == 2 and channels == 1:
        return audio
    samples = _as_int16(audio, width_bytes)
    if channels > 1:
        samples = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    return np.asarray(samples, dtype="<i2").tobytes()


def _as_int16(audio: bytes, width_bytes: int) -> NDArray[np.generic]:
    if width_bytes == 1:
        return (np.frombuffer(audio, dtype=np.uint8).astype(np.int16) - 128) << 8
    if width_bytes == _SIGNED_24_BYTES:
        return np.frombuffer(audio, dtype=np.uint8).reshape(-1, 3)[:, 1:].copy().view("<i2").ravel()
    if width_bytes == 4:
        return (np.frombuffer(audio, dtype="<i4") >> 16).astype(np.int16)
    return np.frombuffer(audio, dtype="<i2")
