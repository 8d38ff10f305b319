"""Replies kept by content, in memory and on disk: most replies of a fleet recur, so most cost no synthesis."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

from entendre.ports import Voice

CHUNKS_AHEAD = 2
LONGEST_REPLY_BYTES = 8 << 20
CHUNK_BYTES = 48_000
_DIGEST_BYTES = 32
_SUFFIX = ".reply"
_LOG = logging.getLogger(__name__)


class ReplyCache:
    """PCM by key: the most recent in memory, more on disk. Both are bounded; a damaged file is a miss."""

    def __init__(self, *, memory_bytes: int, disk_bytes: int = 0, folder: Path | None = None) -> None:
        self._memory_limit_bytes = memory_bytes
        self._disk_limit_bytes = disk_bytes if folder else 0
        self._folder = folder or Path()
        self._memory: OrderedDict[str, bytes] = OrderedDict()
        self._memory_bytes = 0
        self._disk: OrderedDict[str, int] = OrderedDict()
        self._disk_bytes = 0
        self._disk_lock = threading.Lock()
        if self._disk_limit_bytes:
            self._read_folder()

    async def get(self, key: str) -> bytes | None:
        """The audio of a reply, None if it isn't kept."""
        pcm = self._memory.get(key)
        if pcm is not None:
            self._memory.move_to_end(key)
            return pcm
        if key not in self._disk:
            return None
        pcm = await asyncio.to_thread(self._read, key)
        if pcm is not None:
            self._remember(key, pcm)
        return pcm

    async def put(self, key: str, pcm: bytes) -> None:
        """Keep a whole reply."""
        self._remember(key, pcm)
        if len(pcm) + _DIGEST_BYTES <= self._disk_limit_bytes:
            await asyncio.to_thread(self._write, key, pcm)

    async def clear(self) -> None:
        """Forget every reply, on disk too: which of them say something of whom can't be told from their keys."""
        self._memory.clear()
        self._memory_bytes = 0
        if self._disk_limit_bytes:
            await asyncio.to_thread(self._clear_disk)

    def _clear_disk(self) -> None:
        with self._disk_lock:
            for key in list(self._disk):
                self._forget(key)

    def _remember(self, key: str, pcm: bytes) -> None:
        if len(pcm) > self._memory_limit_bytes or key in self._memory:
            return
        self._memory[key] = pcm
        self._memory_bytes += len(pcm)
        while self._memory_bytes > self._memory_limit_bytes:
            _, oldest = self._memory.popitem(last=False)
            self._memory_bytes -= len(oldest)

    def _read_folder(self) -> None:
        """Index what an earlier run left, oldest first; drop half-written files and what exceeds the limit."""
        self._folder.mkdir(parents=True, exist_ok=True)
        found: list[tuple[float, str, int]] = []
        for entry in os.scandir(self._folder):
            if entry.name.endswith(_SUFFIX):
                status = entry.stat()
                found.append((status.st_mtime, entry.name.removesuffix(_SUFFIX), status.st_size))
            elif entry.name.endswith(".part"):
                Path(entry.path).unlink(missing_ok=True)
        for _, key, size_bytes in sorted(found):
            self._disk[key] = size_bytes
            self._disk_bytes += size_bytes
        self._trim()

    def _path(self, key: str) -> Path:
        return self._folder / (key + _SUFFIX)

    def _read(self, key: str) -> bytes | None:
        try:
            content = self._path(key).read_bytes()
            os.utime(self._path(key))
        except OSError:
            content = b""
        digest, pcm = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        with self._disk_lock:
            if hashlib.sha256(pcm).digest() == digest:
                if key in self._disk:
                    self._disk.move_to_end(key)
                return pcm
            _LOG.warning("a cached reply is damaged and was dropped")
            self._forget(key)
        return None

    def _write(self, key: str, pcm: bytes) -> None:
        """Write beside, then rename, so that a crash leaves no half reply. A full disk costs only the cache."""
        try:
            descriptor, name = tempfile.mkstemp(suffix=".part", dir=self._folder)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(hashlib.sha256(pcm).digest() + pcm)
            Path(name).replace(self._path(key))
        except OSError as error:
            _LOG.warning("a reply could not be cached on disk: %s", error.strerror)
            return
        with self._disk_lock:
            self._disk_bytes += len(pcm) + _DIGEST_BYTES - self._disk.pop(key, 0)
            self._disk[key] = len(pcm) + _DIGEST_BYTES
            self._trim()

    def _trim(self) -> None:
        while self._disk_bytes > self._disk_limit_bytes and self._disk:
            self._forget(next(iter(self._disk)))

    def _forget(self, key: str) -> None:
        self._disk_bytes -= self._disk.pop(key, 0)
        with suppress(OSError):
            self._path(key).unlink(missing_ok=True)


class _Filling:
    """A reply being synthesised once for everybody who asked for it."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.done = False
        self.error: BaseException | None = None
        self.listeners = 0
        self.furthest = 0
        self.changed = asyncio.Condition()
        self.task: asyncio.Task[None] | None = None


class CachedVoice:
    """A voice whose whole replies are kept. A reply that was stopped or failed is not."""

    def __init__(self, voice: Voice, replies: ReplyCache) -> None:
        self.name = voice.name
        self.languages = voice.languages
        self.rate_hz = voice.rate_hz
        self._voice = voice
        self._replies = replies
        self._filling: dict[str, _Filling] = {}

    async def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        """Chunks from the cache, or as the voice makes them. Raises: SynthesisError, OverloadedError."""
        key = self._key(text, language, speed)
        filling = self._filling.get(key)
        if filling is None:
            kept = await self._replies.get(key)
            if kept is not None:
                for start in range(0, len(kept), CHUNK_BYTES):
                    yield kept[start : start + CHUNK_BYTES]
                return
            filling = self._filling.get(key) or self._fill(key, text, language, speed)
        filling.listeners += 1
        try:
            place = 0
            while (chunk := await _chunk(filling, place)) is not None:
                place += 1
                yield chunk
        finally:
            filling.listeners -= 1
            if not filling.listeners:
                await self._leave(key, filling)

    def _key(self, text: str, language: str, speed: float) -> str:
        content = json.dumps([self._voice.name, self.rate_hz, language, round(speed, 3), text], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()

    def _fill(self, key: str, text: str, language: str, speed: float) -> _Filling:
        filling = self._filling[key] = _Filling()
        filling.task = asyncio.create_task(self._produce(key, filling, text, language, speed), name="reply-cache")
        return filling

    async def _produce(self, key: str, filling: _Filling, text: str, language: str, speed: float) -> None:
        source = self._voice.synthesize(text, language=language, speed=speed)
        try:
            async for chunk in source:
                async with filling.changed:
                    filling.chunks.append(chunk)
                    filling.changed.notify_all()
                    await filling.changed.wait_for(lambda: len(filling.chunks) < filling.furthest + CHUNKS_AHEAD)
        except Exception as error:  # noqa: BLE001 - a task root: the listeners get every error
            filling.error = error
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()
        pcm = b"".join(filling.chunks)
        if filling.error is None and len(pcm) <= LONGEST_REPLY_BYTES:
            await self._replies.put(key, pcm)
        self._filling.pop(key, None)
        async with filling.changed:
            filling.done = True
            filling.changed.notify_all()

    async def _leave(self, key: str, filling: _Filling) -> None:
        """The last listener left: stop what nobody hears."""
        if self._filling.get(key) is filling:
            del self._filling[key]
        if filling.task is not None and not filling.task.done():
            filling.task.cancel()
            with suppress(asyncio.CancelledError):
                await filling.task


async def _chunk(filling: _Filling, place: int) -> bytes | None:
    """The chunk at a place, None at the end."""
    async with filling.changed:
        filling.furthest = max(filling.furthest, place + 1)
        filling.changed.notify_all()
        await filling.changed.wait_for(lambda: len(filling.chunks) > place or filling.done)
    if place < len(filling.chunks):
        return filling.chunks[place]
    if filling.error is not None:
        raise filling.error
    return None
