"""The sample rate of a stream of PCM16."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

from entendre.core.resample import PcmResampler


async def rate_changed(audio: AsyncIterator[bytes], from_hz: int, to_hz: int) -> AsyncIterator[bytes]:
    """The same sound at another rate."""
    stream = PcmResampler(from_hz, to_hz)
    async with aclosing(cast(Any, audio)):
        async for piece in audio:
            yield stream.push(piece)
    if rest := stream.flush():
        yield rest
