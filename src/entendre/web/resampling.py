"""The sample rate of a stream of PCM16."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import numpy as np

from entendre.core.errors import MissingExtraError


async def rate_changed(audio: AsyncIterator[bytes], from_hz: int, to_hz: int) -> AsyncIterator[bytes]:
    """The same sound at another rate. Raises: MissingExtraError."""
    if from_hz == to_hz:
        async with aclosing(cast(Any, audio)):
            async for piece in audio:
                yield piece
        return
    try:
        import soxr
    except ImportError:
        raise MissingExtraError("Changing the sample rate needs the speech extra.") from None
    stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16")
    odd = b""
    async with aclosing(cast(Any, audio)):
        async for piece in audio:
            piece = odd + piece
            usable = len(piece) & ~1
            odd = piece[usable:]
            yield stream.resample_chunk(np.frombuffer(piece[:usable], dtype="<i2")).tobytes()
    yield stream.resample_chunk(np.zeros(0, dtype=np.int16), last=True).tobytes()
