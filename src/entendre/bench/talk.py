"""A talker: streams a microphone at real time over one connection, says clips into it, and times the replies."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from entendre.clients.realtime import TURN_EVENT, ConnectionFailedError, RealtimeClient, append_message
from entendre.core.audio import Samples

REPLY_S = 8.0
"""A reply that has not begun this long after the end of speech does not come."""
EARLY_S = 0.03
"""A commit earlier than this before the true end of speech cut the speaker off."""
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


@dataclass(frozen=True, slots=True)
class Clip:
    """An utterance ready to be sent: its chunks as messages, and where its speech truly ends in it."""

    name: str
    text: str
    messages: tuple[str, ...]
    end_s: float


@dataclass(slots=True)
class Turn:
    """What came of one clip. Times are `time.monotonic` seconds; `gap_s` is None without a spoken reply."""

    clip: Clip
    true_end_s: float
    true_end_stream_s: float
    first_audio_s: float | None = None
    cut_off: bool = False
    replied: bool = False
    understood: bool = False
    transcript: str = ""
    reply: str = ""
    outcome: str = ""
    trace: dict[str, float] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def gap_s(self) -> float | None:
        """From the true end of speech to the first reply audio at the client."""
        if self.first_audio_s is None or self.cut_off:
            return None
        return self.first_audio_s - self.true_end_s


def clip_of(name: str, text: str, samples: Samples, end_s: float, *, rate_hz: int, chunk_s: float) -> Clip:
    """A clip cut into messages of `chunk_s`."""
    return Clip(name, text, tuple(append_message(chunk) for chunk in _chunks(samples, rate_hz, chunk_s)), end_s)


def room_noise(level: float, seconds: float, *, rate_hz: int) -> Samples:
    """Quiet noise of a root mean square level: what an open microphone sends while nobody speaks."""
    noise = np.random.default_rng(7).normal(0.0, max(level, 1.0), int(seconds * rate_hz))
    return np.clip(noise, -32_768, 32_767).astype(np.int16)


class Talker:
    """One speaker's connection. Use as `async with Talker(client) as talker: turn = await talker.say(clip)`."""

    def __init__(self, client: RealtimeClient, *, chunk_s: float, noise_level: float = 12.0) -> None:
        self.client = client
        self.chunk_s = chunk_s
        self.worst_late_s = 0.0
        self._noise = [
            append_message(chunk)
            for chunk in _chunks(
                room_noise(noise_level, 2.0, rate_hz=client.options.rate_hz), client.options.rate_hz, chunk_s
            )
        ]
        self._waiting: deque[str] = deque()
        self._sent = 0
        self._started_s = 0.0
        self._turn: Turn | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Talker:
        """Open the microphone."""
        self._started_s = time.monotonic()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Close the microphone."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError, ConnectionFailedError):
                await task

    async def say(self, clip: Clip) -> Turn:
        """Speak a clip now and wait until its reply was sent, or none comes."""
        position_s = (self._sent + len(self._waiting)) * self.chunk_s + clip.end_s
        turn = Turn(clip, self._started_s + position_s, position_s)
        self._turn = turn
        self._waiting.extend(clip.messages)
        limit_s = turn.true_end_s - time.monotonic() + REPLY_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await turn.over.wait()
        self._turn = None
        self._waiting.clear()
        return turn

    async def _send(self) -> None:
        while True:
            due_s = self._started_s + (self._sent + 1) * self.chunk_s
            late_s = time.monotonic() - due_s
            if late_s < 0:
                await asyncio.sleep(-late_s)
            else:
                self.worst_late_s = max(self.worst_late_s, late_s)
            message = self._waiting.popleft() if self._waiting else self._noise[self._sent % len(self._noise)]
            self._sent += 1
            await self.client.send_text(message)

    async def _receive(self) -> None:
        async for event in self.client:
            if self._turn is not None:
                note(self._turn, event, time.monotonic())


def note(turn: Turn, event: dict[str, Any], now_s: float) -> None:
    """Enter one event of the server, received at `now_s`, into a turn."""
    early = now_s < turn.true_end_s - EARLY_S
    match event["type"]:
        # What is said before any words were heard is no reply to them: a timer rings.
        case "response.output_audio.delta" if turn.transcript:
            if turn.first_audio_s is None:
                turn.first_audio_s = now_s
            turn.cut_off |= early
        case name if name == TRANSCRIBED:
            transcript = str(event.get("transcript") or "").strip()
            turn.transcript = f"{turn.transcript} {transcript}".strip()
            turn.cut_off |= early and bool(transcript)
        case "response.created" if turn.transcript:
            turn.cut_off |= early
        case "response.output_audio_transcript.done" if turn.transcript:
            turn.reply = str(event.get("transcript") or "")
        case "response.done" if turn.transcript:
            turn.replied = True
            _finish(turn, early)
        case name if name == TURN_EVENT and event.get("stage") == "understood":
            turn.understood = bool(event.get("commands"))
        case name if name == TURN_EVENT and event.get("stage") == "ended":
            if event.get("outcome") == "nothing_heard":
                return
            turn.trace = {str(key): float(value) for key, value in (event.get("trace") or {}).items()}
            turn.outcome = str(event.get("outcome") or "")
            _finish(turn, early)


def _finish(turn: Turn, early: bool) -> None:
    # The reply and the trace come in either order; a turn that was cut off goes on to the rest of what is said.
    if not early and turn.replied and turn.outcome:
        turn.over.set()


def _chunks(samples: Samples, rate_hz: int, chunk_s: float) -> Iterator[bytes]:
    size = round(chunk_s * rate_hz)
    padded = np.concatenate([samples, np.zeros(-len(samples) % size, dtype=np.int16)]).astype("<i2")
    for start in range(0, len(padded), size):
        yield padded[start : start + size].tobytes()
