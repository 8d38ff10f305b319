"""MP3, Ogg Vorbis, FLAC and WAV as they arrive, decoded to mono PCM16 in a thread of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

from entendre.core.errors import MediaError, MissingExtraError

CHUNK_S = 0.2
KEPT_BYTES = 512 * 1024
"""The beginning of a stream is kept for decoders that look ahead and go back; covers of songs lie there too."""

Read = Callable[[int], Awaitable[bytes]]
"""At most so many bytes of a stream, at least one; none at its end."""


def sniff(head: bytes) -> str | None:
    """The format of a stream by its first bytes: a name of `miniaudio.FileFormat`; None if it is none that we know."""
    if head.startswith(b"fLaC"):
        return "FLAC"
    if head.startswith(b"OggS"):
        return "VORBIS" if b"\x01vorbis" in head[:128] else None
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "WAV"
    if head.startswith(b"ID3") or _mp3_frame_at(head) is not None:
        return "MP3"
    return None


def _mp3_frame_at(head: bytes) -> int | None:
    """Where the first MPEG layer 3 frame begins; a broadcast begins anywhere. Source: ISO 11172-3, 2.4.1.3."""
    for at in range(max(0, len(head) - 3)):
        sync, layer = head[at] == 0xFF and head[at + 1] & 0xE0 == 0xE0, head[at + 1] >> 1 & 3
        bitrate, rate = head[at + 2] >> 4, head[at + 2] >> 2 & 3
        if sync and layer == 1 and head[at + 1] >> 3 & 3 != 1 and 0 < bitrate < 15 and rate != 3:
            return at
    return None


async def decode(read: Read, head: bytes, *, rate_hz: int, from_s: float = 0.0) -> AsyncGenerator[bytes, None]:
    """Mono PCM16 of a stream that begins with `head`, from a moment on.

    Raises: MediaError for what can't be decoded, MissingExtraError; what `read` raises.
    """
    known = sniff(head)
    if known is None:
        raise MediaError("That is no sound I can decode.", detail="unknown format")
    pcm = _Puller(read, head, known, rate_hz)
    skip = int(from_s * rate_hz)
    try:
        while (chunk := await pcm.next()) is not None:
            samples = len(chunk) // 2
            if skip < samples:
                yield chunk[2 * skip :]
            skip = max(0, skip - samples)
    finally:
        pcm.close()


class _Puller:
    """A decoder in its own thread, which asks the event loop for bytes and is asked for samples."""

    def __init__(self, read: Read, head: bytes, known: str, rate_hz: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._read = read
        self._head = head
        self._known = known
        self._rate_hz = rate_hz
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="media")
        self._samples: Iterator[Any] | None = None
        self._error: Exception | None = None
        self._waiting: Any = None
        self._closed = threading.Event()

    async def next(self) -> bytes | None:
        """The next samples; None at the end. Raises: MediaError."""
        chunk: bytes | None = await self._loop.run_in_executor(self._thread, self._decode)
        if self._error is not None:
            raise self._error
        return chunk

    def close(self) -> None:
        """Let the thread end; it does at its next read."""
        self._closed.set()
        if self._waiting is not None:
            self._waiting.cancel()
        self._thread.shutdown(wait=False)

    def _decode(self) -> bytes | None:
        """In the thread: one step of the decoder."""
        try:
            if self._samples is None:
                self._samples = self._open()
            samples = next(self._samples, None)
        except (MediaError, MissingExtraError) as error:
            self._error = self._error or error
            return None
        return bytes(samples) if samples is not None and len(samples) else None

    def _open(self) -> Iterator[Any]:
        try:
            import miniaudio
        except ImportError:
            raise MissingExtraError("Playing stations needs the extra `media`.") from None
        wanted = getattr(miniaudio.FileFormat, self._known)
        frames = int(CHUNK_S * self._rate_hz)
        source = _source(miniaudio, self._pull, self._head)
        try:
            samples: Iterator[Any] = miniaudio.stream_any(
                source, wanted, nchannels=1, sample_rate=self._rate_hz, frames_to_read=frames
            )
        except miniaudio.MiniaudioError as error:
            raise MediaError("That is no sound I can decode.", detail=str(error)) from None
        return samples

    def _pull(self, count: int) -> bytes:
        """In the thread: bytes from the event loop. An error ends the stream, and is raised by `next`."""
        if self._closed.is_set() or self._error is not None:
            return b""
        self._waiting = asyncio.run_coroutine_threadsafe(_awaited(self._read(count)), self._loop)
        if self._closed.is_set():  # meanwhile: `close` did not see this one, and nobody else ends the wait
            self._waiting.cancel()
        try:
            return bytes(self._waiting.result())
        except MediaError as error:
            self._error = error
        except CancelledError:
            pass
        return b""


async def _awaited(bytes_read: Awaitable[bytes]) -> bytes:
    return await bytes_read


def _source(miniaudio: Any, pull: Callable[[int], bytes], head: bytes) -> Any:
    """A stream as miniaudio reads it: what was read of the beginning can be gone back to."""

    class Source(miniaudio.StreamableSource):  # type: ignore[misc]  # the base is known only where it is installed
        def __init__(self) -> None:
            self._kept = bytearray(head)
            self._at = 0
            self._dropped = False

        def read(self, num_bytes: int) -> bytes:
            if self._at < len(self._kept):
                data = bytes(self._kept[self._at : self._at + num_bytes])
            else:
                data = pull(num_bytes)
                self._keep(data)
            self._at += len(data)
            return data

        def seek(self, offset: int, origin: Any) -> bool:
            target = offset if origin is miniaudio.SeekOrigin.START else self._at + offset
            if target < self._at and (self._dropped or target < 0):
                raise OSError("a stream does not go back")
            while self._at < target:
                if not self.read(min(target - self._at, 64 * 1024)):
                    raise OSError("a stream ends before")
            self._at = target
            return True

        def _keep(self, data: bytes) -> None:
            if len(self._kept) == self._at and len(self._kept) + len(data) <= KEPT_BYTES:
                self._kept += data
            else:
                self._kept.clear()
                self._dropped = True

    return Source()
