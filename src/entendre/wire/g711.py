"""G.711 u-law and A-law in numpy, as telephones and the Realtime protocol send them. Source: ITU-T G.711."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from entendre.core.audio import Encoding, Samples

_ULAW_BIAS = 33
_ULAW_CLIP = 8_158


def _ulaw_values() -> NDArray[np.int16]:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 1) + _ULAW_BIAS << ((code & 0x70) >> 4)) - _ULAW_BIAS) << 2
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_values() -> NDArray[np.int16]:
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = np.where(exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_ULAW_VALUES = _ulaw_values()
_ALAW_VALUES = _alaw_values()


def decode_ulaw(data: bytes) -> Samples:
    """One sample a byte. Shape: (n,)."""
    return _ULAW_VALUES[np.frombuffer(data, np.uint8)]


def decode_alaw(data: bytes) -> Samples:
    """One sample a byte. Shape: (n,)."""
    return _ALAW_VALUES[np.frombuffer(data, np.uint8)]


def encode_ulaw(samples: Samples) -> bytes:
    """One byte a sample. Shape: (n,)."""
    wide = samples.astype(np.int32) >> 2
    magnitude = np.minimum(np.abs(wide), _ULAW_CLIP) + _ULAW_BIAS
    exponent = _highest_bit(magnitude) - 5
    code = (exponent << 4) | ((magnitude >> (exponent + 1)) & 0x0F)
    return _bytes_of(code ^ np.where(wide < 0, 0x7F, 0xFF))


def encode_alaw(samples: Samples) -> bytes:
    """One byte a sample. Shape: (n,)."""
    wide = samples.astype(np.int32) >> 3
    magnitude = np.where(wide >= 0, wide, -wide - 1)
    exponent = np.maximum(_highest_bit(np.maximum(magnitude, 1)) - 4, 0)
    mantissa = (magnitude >> np.maximum(exponent, 1)) & 0x0F
    code = (exponent << 4) | mantissa
    return _bytes_of(code ^ np.where(wide >= 0, 0xD5, 0x55))


def decode(data: bytes, encoding: Encoding) -> Samples:
    """Samples of any encoding that a wire carries; an odd last byte of PCM16 is dropped."""
    if encoding is Encoding.ULAW:
        return decode_ulaw(data)
    if encoding is Encoding.ALAW:
        return decode_alaw(data)
    return np.frombuffer(data[: len(data) & ~1], "<i2")


def encode(samples: Samples, encoding: Encoding) -> bytes:
    """Bytes of any encoding that a wire carries."""
    if encoding is Encoding.ULAW:
        return encode_ulaw(samples)
    if encoding is Encoding.ALAW:
        return encode_alaw(samples)
    return samples.astype("<i2").tobytes()


def _highest_bit(values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Position of the highest set bit of positive values. Shape: (n,)."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int32) - 1


def _bytes_of(codes: NDArray[np.int32]) -> bytes:
    return bytes(codes.astype(np.uint8))
