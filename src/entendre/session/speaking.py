"""Replies on their way out: synthesised ahead while a draft waits, then sent paced, and stopped at any moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from entendre.core.clock import Clock
from entendre.core.errors import OverloadedError
from entendre.ports import Voice
from entendre.session.api import DeviceLink, ReplyAudio, ReplyEnded, ReplyStarted

PIECE_S = 0.06
"""Reply audio is sent in pieces of at most this, so that stopping it is quick; one Opus frame of most speakers."""

_SAMPLE_BYTES = 2


@dataclass(slots=True)
class Sound:
    """A reply's audio as it is being made: mono PCM16 at `rate_hz`, in order."""

    text: str
    rate_hz: int
    chunks: AsyncIterator[bytes] | None


async def begun(sound: Sound) -> Sound:
    """The same sound once its first audio is there. Raises what synthesis raised."""
    if sound.chunks is None:
        return sound
    first = await anext(sound.chunks, b"")
    return Sound(sound.text, sound.rate_hz, _joined(first, sound.chunks))


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


class Prepared:
    """A reply that is synthesised before it is certain to be said."""

    def __init__(self, text: str, voice: Voice, language: str, speed: float) -> None:
        self.text = text
        self.rate_hz = voice.rate_hz
        self._chunks: list[bytes] = []
        self._more = asyncio.Event()
        self._done = False
        self._task = asyncio.create_task(self._fill(voice, language, speed), name="prepare-reply")

    async def _fill(self, voice: Voice, language: str, speed: float) -> None:
        try:
            async with aclosing(voice.synthesize(self.text, language=language, speed=speed)) as stream:  # type: ignore[type-var]
                async for chunk in stream:
                    self._chunks.append(chunk)
                    self._more.set()
        finally:
            self._done = True
            self._more.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Everything made so far, then the rest as it comes. Raises what synthesis raised."""
        sent = 0
        while True:
            while sent < len(self._chunks):
                sent += 1
                yield self._chunks[sent - 1]
            if self._done:
                await self._task
                return
            self._more.clear()
            await self._more.wait()

    async def discard(self) -> None:
        """It will not be said: free the cores."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@dataclass(slots=True)
class Playback:
    """One reply being sent. `sent_s`: audio sent so far; `started_at`: monotonic time of its first audio."""

    reply: str
    turn: str
    rate_hz: int
    lead_s: float
    clock: Clock
    filler: bool = False
    started_at: float | None = None
    sent_s: float = 0.0
    reported_s: float | None = None
    ended: bool = False
    on_first_audio: Callable[[], None] = lambda: None

    def heard_s(self) -> float:
        """How much the user can have heard: what the client reported, else what had time to sound."""
        if self.reported_s is not None:
            return min(self.reported_s, self.sent_s)
        if self.started_at is None:
            return 0.0
        return min(self.sent_s, self.clock.monotonic() - self.started_at)

    def ahead_s(self) -> float:
        """How far sending is ahead of sounding."""
        if self.started_at is None:
            return 0.0
        return self.sent_s - (self.clock.monotonic() - self.started_at)


async def play(playback: Playback, sound: Sound, link: DeviceLink, *, expects_reply: bool, delivery_s: float) -> None:
    """Send a reply paced to `lead_s` ahead of real time, and return once all of it can have been heard.

    Raises: OverloadedError if the client does not take its audio in time; what synthesis raises.
    """
    filler = playback.filler
    started = ReplyStarted(playback.reply, playback.turn, sound.text, sound.rate_hz, expects_reply, filler)
    await _deliver(link, started, delivery_s)
    if sound.chunks is not None:
        async for chunk in sound.chunks:
            await _send_paced(playback, chunk, link, delivery_s)
        remaining_s = playback.ahead_s()
        if remaining_s > 0:
            await asyncio.sleep(remaining_s)
    playback.ended = True
    await _deliver(link, ReplyEnded(playback.reply, playback.turn, playback.heard_s()), delivery_s)


async def _send_paced(playback: Playback, chunk: bytes, link: DeviceLink, delivery_s: float) -> None:
    piece_bytes = int(PIECE_S * playback.rate_hz) * _SAMPLE_BYTES
    for start in range(0, len(chunk), piece_bytes):
        wait_s = playback.ahead_s() - playback.lead_s
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        piece = chunk[start : start + piece_bytes]
        await _deliver(link, ReplyAudio(playback.reply, piece), delivery_s)
        if playback.started_at is None:
            playback.started_at = playback.clock.monotonic()
            playback.on_first_audio()
        playback.sent_s += len(piece) / _SAMPLE_BYTES / playback.rate_hz


async def _deliver(link: DeviceLink, event: Any, delivery_s: float) -> None:
    try:
        async with asyncio.timeout(delivery_s):
            await link.deliver(event)
    except TimeoutError:
        raise OverloadedError("The client does not take its audio.", detail="delivery timed out") from None
