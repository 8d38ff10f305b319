"""What plays on one speaker beside what is said there: a station or a file, paused while anybody speaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from enum import Enum

from entendre.core.errors import EntendreError, MediaError
from entendre.ports import MediaSource
from entendre.session.speaking import Sound

log = logging.getLogger(__name__)

AHEAD_CHUNKS = 16
"""Decoded audio that is kept ready; a few seconds, so that a slow moment of the network is not heard."""

KEEP_OPEN_S = 30.0
"""A pause for longer lets go of the stream; it is opened again where it was, a broadcast where it is by then."""

_SAMPLE_BYTES = 2


class _State(Enum):
    STOPPED = "stopped"
    PLAYING = "playing"
    """Sounds, or is interrupted and goes on as soon as nobody speaks."""
    HELD = "held"
    """Was silenced by hand; goes on after the next turn."""
    PAUSED = "paused"
    """Goes on when it is asked for."""


class Media:
    """The media of one speaker. `changed` is called when there is something to sound. Use from one event loop."""

    def __init__(self, source: MediaSource | None, changed: Callable[[], None]) -> None:
        self._source = source
        self._changed = changed
        self._state = _State.STOPPED
        self._stream: _Stream | None = None
        self._letting_go: asyncio.TimerHandle | None = None
        self._url = ""
        self._position_s = 0.0
        self.name = ""
        self._by_device: str | None = None
        self._device_plays = False

    @property
    def shown(self) -> tuple[str | None, bool]:
        """What is loaded, here or by the device itself, and whether it plays."""
        return (self.name, self.playing) if self.loaded else (self._by_device, self._device_plays)

    @property
    def available(self) -> bool:
        """Whether this server can play at all."""
        return self._source is not None

    @property
    def playing(self) -> bool:
        """Whether it sounds, or would if nobody spoke."""
        return self._state in (_State.PLAYING, _State.HELD)

    @property
    def loaded(self) -> bool:
        """Whether there is something that plays or could go on."""
        return self._state is not _State.STOPPED

    def play(self, name: str, url: str) -> None:
        """Play from a URL as soon as nobody speaks."""
        self.stop()
        self.name, self._url, self._position_s, self._state = name, url, 0.0, _State.PLAYING
        self._open()

    def pause(self) -> bool:
        """Pause until `resume`; False if nothing plays."""
        if not self.playing:
            return False
        self._state = _State.PAUSED
        self._let_go_later()
        return True

    def resume(self) -> bool:
        """Go on; False if there is nothing to go on with."""
        if not self.loaded:
            return False
        self._state = _State.PLAYING
        self._open()
        return True

    def stop(self) -> bool:
        """End it; False if there was nothing."""
        was, self._state = self.loaded, _State.STOPPED
        self._let_go()
        return was

    def device_did(self, command: str, name: str | None) -> None:
        """The device itself plays, pauses or ends something."""
        self._device_plays = command in ("play", "resume", "next", "previous")
        if command == "stop":
            self._by_device = None
        elif command == "play" and name is not None:
            self._by_device = name

    def interrupted(self, *, by_hand: bool) -> None:
        """Somebody spoke over it, or silenced it `by_hand`, which means silence until something is said."""
        if self._state is _State.PLAYING and by_hand:
            self._state = _State.HELD
        if self.loaded:
            self._let_go_later()

    def turn_over(self) -> None:
        """A turn has ended: what was held for it goes on."""
        if self._state is _State.HELD:
            self._state = _State.PLAYING
        if self._state is _State.PLAYING:
            self._open()

    def due(self) -> bool:
        """Whether there is something to sound now."""
        return self._state is _State.PLAYING and self._stream is not None and self._stream.ready

    def sound(self) -> Sound:
        """What is to sound, from where it was; only when it is `due`. Raises (in its chunks): MediaError."""
        assert self._source is not None
        self._keep()
        return Sound(self.name, self._source.rate_hz, self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        assert self._source is not None
        stream = self._stream
        while stream is not None and (chunk := await stream.take()) is not None:
            self._position_s += len(chunk) / _SAMPLE_BYTES / self._source.rate_hz
            yield chunk

    def _open(self) -> None:
        self._keep()
        if self._stream is None and self._source is not None:
            self._stream = _Stream(self._source, self._url, self._position_s, self._changed)
        elif self._stream is not None and self._stream.ready:
            self._changed()

    def _keep(self) -> None:
        if self._letting_go is not None:
            self._letting_go.cancel()
            self._letting_go = None

    def _let_go_later(self) -> None:
        self._keep()
        self._letting_go = asyncio.get_running_loop().call_later(KEEP_OPEN_S, self._let_go)

    def _let_go(self) -> None:
        self._keep()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class _Stream:
    """One opened URL, decoded a little ahead."""

    def __init__(self, source: MediaSource, url: str, from_s: float, changed: Callable[[], None]) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(AHEAD_CHUNKS)
        self._changed = changed
        self._error: MediaError | None = None
        self._task = asyncio.create_task(self._fill(source, url, from_s), name="media")

    @property
    def ready(self) -> bool:
        """Whether there is audio, or news of its end."""
        return not self._queue.empty()

    async def take(self) -> bytes | None:
        """The next chunk; None at the end. Raises: MediaError."""
        chunk = await self._queue.get()
        if chunk is None and self._error is not None:
            raise self._error
        return chunk

    def close(self) -> None:
        """Let go of it."""
        self._task.cancel()

    async def _fill(self, source: MediaSource, url: str, from_s: float) -> None:
        """Task root: an error waits in line behind the audio that came before it."""
        try:
            async with aclosing(source.open(url, from_s=from_s)) as chunks:  # type: ignore[type-var]
                async for chunk in chunks:
                    await self._put(chunk)
        except EntendreError as error:
            log.info("media ended", extra={"code": error.code, "detail": error.detail})
            self._error = error if isinstance(error, MediaError) else MediaError(error.public_message)
        except Exception:
            log.exception("media failed")
            self._error = MediaError()
        await self._put(None)

    async def _put(self, chunk: bytes | None) -> None:
        first = self._queue.empty()
        await self._queue.put(chunk)
        if first:
            self._changed()
