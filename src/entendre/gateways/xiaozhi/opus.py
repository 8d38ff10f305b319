"""Opus both ways: a decoder and an encoder per connection over libopus, with nothing copied or allocated twice.

Called with the interpreter's lock held: a packet takes 0.03 to 0.09 ms, and taking the lock back from a busy thread
would cost more. Source: opus.h of libopus 1.5.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

from entendre.core.audio import HOUSE_RATE_HZ
from entendre.core.errors import MissingExtraError
from entendre.wire.xiaozhi_frames import MAX_OPUS_BYTES, packet_duration_ms

SAID_RATE_HZ = 24_000
"""Rate of everything that we send; devices resample it if their codec differs."""
SAID_FRAME_MS = 60
SAID_FRAME_BYTES = SAID_RATE_HZ * SAID_FRAME_MS // 1000 * 2
BITRATE_BPS = 32_000
COMPLEXITY = 2
"""61 µs a frame at 2.2 dB log-spectral distance; speech mode needs 366 µs (complexity 5) for 2.3 dB."""

_SAMPLE_BYTES = 2
_LONGEST_SAMPLES = HOUSE_RATE_HZ * 120 // 1000
_ENCODED_BYTES = 1_500
_SHORTEST_MS = 2.5
_SHORTEST_SAMPLES = HOUSE_RATE_HZ // 400
_APPLICATION_LOW_DELAY = 2051
_SET_BITRATE, _SET_COMPLEXITY = 4002, 4010
_OPUS_OK = 0


@lru_cache(maxsize=1)
def _library() -> Any:
    """libopus. Raises: MissingExtraError."""
    try:
        from opuslib_next.api import libopus
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingExtraError(
            "xiaozhi speakers need Opus: pip install 'entendre[xiaozhi]'", detail=f"libopus: {error}"
        ) from error
    library = ctypes.PyDLL(libopus._name)
    state, number = ctypes.c_void_p, ctypes.c_int
    failure = ctypes.POINTER(number)
    signatures = {
        "opus_decoder_create": ([ctypes.c_int32, number, failure], state),
        "opus_decode": ([state, ctypes.c_char_p, ctypes.c_int32, state, number, number], number),
        "opus_decoder_destroy": ([state], None),
        "opus_encoder_create": ([ctypes.c_int32, number, number, failure], state),
        "opus_encode": ([state, ctypes.c_char_p, number, state, ctypes.c_int32], ctypes.c_int32),
        "opus_encoder_destroy": ([state], None),
        "opus_encoder_ctl": ([state, number], number),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    return library


def require_opus() -> None:
    """Raises: MissingExtraError where libopus can't be loaded."""
    _library()


class OpusDecoder:
    """A microphone's packets as house audio: mono PCM16 at 16 kHz, whatever the packets' length and channels."""

    __slots__ = ("_library", "_pcm", "_state")

    def __init__(self) -> None:
        """Raises: MissingExtraError."""
        self._library = _library()
        failure = ctypes.c_int()
        self._state = self._library.opus_decoder_create(HOUSE_RATE_HZ, 1, ctypes.byref(failure))
        if failure.value != _OPUS_OK:
            raise MemoryError("libopus gave no decoder")
        self._pcm = ctypes.create_string_buffer(_LONGEST_SAMPLES * _SAMPLE_BYTES)

    def decode(self, packet: bytes) -> bytes | None:
        """The audio of one packet, of the packet's own length; None if it is malformed."""
        if len(packet) > MAX_OPUS_BYTES or packet_duration_ms(packet) is None:
            return None
        samples = self._library.opus_decode(self._state, packet, len(packet), self._pcm, _LONGEST_SAMPLES, 0)
        return ctypes.string_at(self._pcm, samples * _SAMPLE_BYTES) if samples > 0 else None

    def conceal(self, duration_ms: float) -> bytes:
        """What stands for a lost packet of this length, fading out as more are lost."""
        wanted = min(_LONGEST_SAMPLES, int(duration_ms / _SHORTEST_MS) * _SHORTEST_SAMPLES)
        samples = self._library.opus_decode(self._state, None, 0, self._pcm, wanted, 0) if wanted else 0
        return ctypes.string_at(self._pcm, samples * _SAMPLE_BYTES) if samples > 0 else b""

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.opus_decoder_destroy(self._state)
            self._state = None


class OpusEncoder:
    """A reply as packets of exactly `SAID_FRAME_MS`."""

    __slots__ = ("_library", "_packet", "_state")

    def __init__(self) -> None:
        """Raises: MissingExtraError."""
        self._library = _library()
        failure = ctypes.c_int()
        self._state = self._library.opus_encoder_create(SAID_RATE_HZ, 1, _APPLICATION_LOW_DELAY, ctypes.byref(failure))
        if failure.value != _OPUS_OK:
            raise MemoryError("libopus gave no encoder")
        for request, value in ((_SET_BITRATE, BITRATE_BPS), (_SET_COMPLEXITY, COMPLEXITY)):
            self._library.opus_encoder_ctl(self._state, request, ctypes.c_int32(value))
        self._packet = ctypes.create_string_buffer(_ENCODED_BYTES)

    def encode(self, frame: bytes) -> bytes:
        """One packet of `SAID_FRAME_BYTES` of mono PCM16 at 24 kHz. Raises: ValueError for another length."""
        if len(frame) != SAID_FRAME_BYTES:
            raise ValueError(f"a frame has {SAID_FRAME_BYTES} bytes")
        samples = SAID_FRAME_BYTES // _SAMPLE_BYTES
        size = self._library.opus_encode(self._state, frame, samples, self._packet, _ENCODED_BYTES)
        if size <= 0:
            raise ValueError(f"libopus could not encode: {size}")
        return ctypes.string_at(self._packet, size)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.opus_encoder_destroy(self._state)
            self._state = None
