"""A speaker: a microphone (or a recording), a loudspeaker (or a file), and a connection to a server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from entendre.clients.realtime import RealtimeClient, audio_of
from entendre.core.errors import InvalidInputError, MissingExtraError

CHUNK_S = 0.02
"""How much audio one message carries; what real microphones deliver."""
AFTER_SPEECH_S = 8.0
"""How long a recording's reply is waited for after its last sample."""


class Player(Protocol):
    """What makes a reply audible."""

    def play(self, pcm16: bytes) -> None:
        """Queue audio; never blocks."""
        ...

    def stop(self) -> float:
        """Drop what is queued; returns how many seconds of the reply were heard."""
        ...


@dataclass(slots=True)
class Collected:
    """A player that keeps what it is given."""

    pcm16: bytearray = field(default_factory=bytearray)
    rate_hz: int = 24_000

    def play(self, pcm16: bytes) -> None:
        """Keep it."""
        self.pcm16 += pcm16

    def stop(self) -> float:
        """All of it counts as heard."""
        return len(self.pcm16) / 2 / self.rate_hz


@dataclass(slots=True)
class Speaker:
    """Carries sound between a microphone, a server and a player. `show` is told of events worth showing."""

    client: RealtimeClient
    player: Player
    show: Callable[[dict[str, Any]], None] = lambda event: None
    _item: str = ""
    _speaking: bool = False
    _replies: int = 0

    async def run(self, microphone: AsyncIterator[bytes], *, replies: int | None = None) -> bool:
        """Talk until the microphone or the connection ends, or `replies` replies were complete.

        Returns whether at least one reply was.
        """
        sending = asyncio.create_task(self._send(microphone))
        receiving = asyncio.create_task(self._receive(replies))
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, receiving):
                task.cancel()
            results = await asyncio.gather(sending, receiving, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return self._replies > 0

    async def _send(self, microphone: AsyncIterator[bytes]) -> None:
        async for pcm16 in microphone:
            await self.client.append(pcm16)

    async def _receive(self, replies: int | None) -> None:
        async for event in self.client:
            self.show(event)
            await self._handle(event)
            if self._replies == replies:
                return

    async def _handle(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "response.output_audio.delta":
                self._item, self._speaking = event["item_id"], True
                self.player.play(audio_of(event))
            case "response.done":
                self._speaking = False
                self._replies += 1
            case "input_audio_buffer.speech_started" if self._speaking:
                heard_ms = round(self.player.stop() * 1000)
                self._speaking = False
                cut = {"type": "conversation.item.truncate", "item_id": self._item, "content_index": 0}
                await self.client.send(cut | {"audio_end_ms": heard_ms})


async def paced(pcm16: bytes, rate_hz: int, *, after_s: float = AFTER_SPEECH_S) -> AsyncIterator[bytes]:
    """A recording as a microphone delivers it: each chunk when it is complete, then silence for `after_s`."""
    size = int(CHUNK_S * rate_hz) * 2
    whole = pcm16 + bytes(int(after_s / CHUNK_S) * size)
    started_s = time.monotonic()
    for index in range(0, len(whole), size):
        due_s = started_s + (index / size + 1) * CHUNK_S
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        yield whole[index : index + size]


class SoundCard:
    """The machine's own microphone and loudspeaker, through the `sounddevice` package (extra `speaker`)."""

    def __init__(self, rate_hz: int = 24_000) -> None:
        """Raises: MissingExtraError."""
        try:
            import sounddevice  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except (ImportError, OSError) as error:
            raise MissingExtraError(
                "The microphone needs the extra `speaker` and the PortAudio library: pip install 'entendre[speaker]' "
                "and, on Debian, apt install libportaudio2. `entendre speaker --wav FILE` needs neither.",
                detail=str(error),
            ) from error
        self._devices: Any = sounddevice
        self.rate_hz = rate_hz
        self._queued = bytearray()
        self._played_bytes = 0

    async def microphone(self) -> AsyncIterator[bytes]:
        """Audio of the microphone, for as long as it is read. Raises: InvalidInputError without a sound card."""
        loop = asyncio.get_running_loop()
        captured: asyncio.Queue[bytes] = asyncio.Queue(maxsize=500)

        def on_audio(data: Any, frames: int, moment: Any, status: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closing
                loop.call_soon_threadsafe(_offer, captured, bytes(data))

        block = int(CHUNK_S * self.rate_hz)
        stream = {"samplerate": self.rate_hz, "channels": 1, "dtype": "int16", "blocksize": block}
        try:
            listening = self._devices.RawInputStream(callback=on_audio, **stream)
            speaking = self._devices.RawOutputStream(callback=self._fill, **stream)
        except self._devices.PortAudioError as error:
            raise InvalidInputError(
                "This machine has no usable microphone and loudspeaker.", detail=str(error)
            ) from error
        with listening, speaking:
            while True:
                yield await captured.get()

    def play(self, pcm16: bytes) -> None:
        """Queue audio for the loudspeaker."""
        if not self._queued:
            self._played_bytes = 0
        self._queued += pcm16

    def stop(self) -> float:
        """Fall silent at once."""
        self._queued.clear()
        return self._played_bytes / 2 / self.rate_hz

    def _fill(self, out: Any, frames: int, moment: Any, status: Any) -> None:
        # Runs on PortAudio's thread: taking a slice and deleting it are each atomic enough for one writer, one reader.
        ready = bytes(self._queued[: len(out)])
        del self._queued[: len(ready)]
        self._played_bytes += len(ready)
        out[:] = ready + bytes(len(out) - len(ready))


def _offer(captured: asyncio.Queue[bytes], pcm16: bytes) -> None:
    if captured.full():
        captured.get_nowait()  # the newest sound matters; the oldest is late already
    captured.put_nowait(pcm16)
