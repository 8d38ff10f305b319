"""A xiaozhi speaker without hardware: it keeps the firmware's states, its queue and its order of messages.

Written from xiaozhi-esp32 2.4.2 (`application.cc`). What the firmware would lose, this loses, and counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from entendre.clients.realtime import ConnectionFailedError
from entendre.clients.xiaozhi_links import HELLO_S, Link
from entendre.clients.xiaozhi_playback import Packet, PlaybackQueue, Reply
from entendre.clients.xiaozhi_tools import DeviceTools

FRAME_MS = 60
SILENT_CHANNEL_S = 120.0
"""Without a message for this long the device takes its channel for dead."""
MESSAGES_KEPT = 500


class State(Enum):
    """The firmware's device states that matter here."""

    IDLE = "idle"
    CONNECTING = "connecting"
    LISTENING = "listening"
    SPEAKING = "speaking"


@dataclass(frozen=True, slots=True)
class Habits:
    """How this speaker behaves. `mode`: "auto", "manual" or "realtime". `noise`: packets it sends while nobody speaks.

    `start_takes_s`: how long `tts start` takes to be obeyed, on another task than audio: sooner sound is lost.
    """

    mode: str = "auto"
    noise: tuple[bytes, ...] = (b"\x58",)
    frame_ms: int = FRAME_MS
    server_cancels_echo: bool = False
    start_takes_s: float = 0.02


class XiaozhiSpeaker:
    """One speaker. Use as `async with XiaozhiSpeaker(link).running() as speaker: await speaker.wake(…)`."""

    def __init__(self, link: Link, habits: Habits | None = None, tools: DeviceTools | None = None) -> None:
        self.link = link
        self.habits = habits or Habits()
        self.tools = tools or DeviceTools()
        self.state = State.IDLE
        self.queue = PlaybackQueue()
        self.replies: list[Reply] = []
        self.messages: deque[dict[str, Any]] = deque(maxlen=MESSAGES_KEPT)
        self.on_message: Callable[[dict[str, Any], float], None] = lambda message, now_s: None
        """Told every JSON message, after it was obeyed, with the `time.monotonic` of its arrival."""
        self.discarded = 0
        """Packets that came while it was not speaking."""
        self.worst_late_s = 0.0
        """How late the microphone was at worst, which is this machine's fault and not the server's."""
        self.down_rate_hz = 0
        self.session_id = ""
        self._down_frame_s = 0.0
        self._speaking_from_s = 0.0
        self._heard_at_s = 0.0
        self._said: deque[bytes] = deque()
        self._sent = 0
        self._began_s = 0.0
        self._open = False
        self._told_to_speak = False
        self._hello = asyncio.Event()
        self._changed = asyncio.Event()
        self._draining: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[XiaozhiSpeaker]:
        """Switched on; its microphone's clock runs."""
        self._began_s = time.monotonic()
        microphone = asyncio.create_task(self._microphone(), name="xiaozhi-microphone")
        try:
            yield self
        finally:
            tasks = [task for task in (microphone, self._draining, self._reading) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.link.close()

    # -- what people do ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect what stays connected: the control link of MQTT; messages may come from now on."""
        await self.link.open()
        self._read_on()

    async def wake(self, word: str | None = None, sound: Sequence[bytes] = ()) -> None:
        """Its wake word was said: `sound` is what it recorded of it. Raises: ConnectionFailedError."""
        if self.speaking:
            await self._send({"type": "abort", "reason": "wake_word_detected"})
        await self._open_channel()
        for packet in sound:
            await self.link.send_opus(packet)
        if word is not None:
            await self._send({"type": "listen", "state": "detect", "text": word})
        await self._listen()

    async def press(self) -> None:
        """The button: begin to listen, or interrupt. Raises: ConnectionFailedError."""
        if self.state is State.SPEAKING:
            await self._send({"type": "abort"})
        await self._open_channel()
        await self._listen()

    async def release(self) -> None:
        """Push to talk ends."""
        await self._send({"type": "listen", "state": "stop"})
        self._become(State.IDLE)

    async def type_text(self, text: str) -> None:
        """Send a text as the firmware reports a button's event. Raises: ConnectionFailedError."""
        await self._open_channel()
        await self._send({"type": "listen", "state": "detect", "text": text})

    def say(self, packets: Sequence[bytes]) -> float:
        """Somebody speaks into the microphone from the next frame on: the `time.monotonic` of that frame's start."""
        ahead = self._sent + len(self._said)
        self._said.extend(packets)
        return self._began_s + ahead * self.habits.frame_ms / 1000

    def forget_said(self) -> None:
        """What was still to be said is not said."""
        self._said.clear()

    async def hang_up(self) -> None:
        """Close the channel."""
        await self._channel_gone(close=True)

    @property
    def speaking(self) -> bool:
        """Whether a reply is sounding, or still to come."""
        return self.state is State.SPEAKING or self._draining is not None

    @property
    def listening(self) -> bool:
        """Whether its microphone is open."""
        return self._open and self.state is State.LISTENING and self._draining is None

    async def until(self, condition: Callable[[], Any], limit_s: float) -> bool:
        """Wait until something is so; whether it was in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        return bool(condition())

    # -- states --------------------------------------------------------------------------------------------------------

    def _become(self, state: State) -> None:
        self.state = state
        self._changed.set()

    async def _open_channel(self) -> None:
        if self._open and time.monotonic() - self._heard_at_s < SILENT_CHANNEL_S:
            return
        self._become(State.CONNECTING)
        self._hello.clear()
        try:
            await self.link.open()
            self._read_on()
            await self.link.send_json(self._own_hello())
            async with asyncio.timeout(HELLO_S):
                await self._hello.wait()
        except TimeoutError:
            self._become(State.IDLE)
            raise ConnectionFailedError("The server did not answer the hello.") from None
        except ConnectionFailedError:
            self._become(State.IDLE)
            raise

    def _own_hello(self) -> dict[str, Any]:
        features = {"mcp": True} | ({"aec": True} if self.habits.server_cancels_echo else {})
        sound = {"format": "opus", "sample_rate": 16_000, "channels": 1, "frame_duration": self.habits.frame_ms}
        link = self.link
        hello = {"type": "hello", "version": link.version, "features": features, "transport": link.transport}
        return hello | {"audio_params": sound}

    async def _listen(self) -> None:
        self._cancel_draining()
        await self._open_microphone()

    async def _open_microphone(self) -> None:
        self.queue.clear()
        await self._send({"type": "listen", "state": "start", "mode": self.habits.mode})
        self._become(State.LISTENING)

    def _speak(self, now_s: float) -> None:
        if self.state not in (State.IDLE, State.LISTENING):
            return
        if self._draining is not None:  # the main task waits for the queue, and comes to this afterwards
            self._told_to_speak = True
            return
        self.queue.clear()
        self._speaking_from_s = now_s + self.habits.start_takes_s
        self.replies.append(Reply(now_s))
        self._become(State.SPEAKING)

    def _stop_speaking(self, now_s: float) -> None:
        if self.state is not State.SPEAKING:
            self._told_to_speak = False
            return
        if self.replies:
            self.replies[-1].stopped_s = now_s
        self._become(State.IDLE if self.habits.mode == "manual" else State.LISTENING)
        if self.habits.mode == "auto":
            self._draining = asyncio.create_task(self._play_out(), name="xiaozhi-play-out")

    async def _play_out(self) -> None:
        """In mode auto the queue is played to its end before the microphone opens; sound that comes now is lost."""
        await asyncio.sleep(self.queue.drained_s(time.monotonic()))
        with contextlib.suppress(ConnectionFailedError):
            await self._open_microphone()
        self._draining = None  # only now: being told to speak meanwhile must wait until the microphone was opened
        speaks_next, self._told_to_speak = self._told_to_speak, False
        if speaks_next:
            self._speak(time.monotonic())

    def _cancel_draining(self) -> None:
        draining, self._draining, self._told_to_speak = self._draining, None, False
        if draining is not None and draining is not asyncio.current_task():
            draining.cancel()

    async def _channel_gone(self, *, close: bool) -> None:
        was_open, self._open = self._open, False
        self._cancel_draining()
        self._become(State.IDLE)
        if close and was_open:
            await self.link.close_channel(self.session_id)

    # -- sound out of the microphone -----------------------------------------------------------------------------------

    async def _microphone(self) -> None:
        frame_s = self.habits.frame_ms / 1000
        noise = self.habits.noise
        while True:
            due_s = self._began_s + (self._sent + 1) * frame_s
            late_s = time.monotonic() - due_s
            if late_s < 0:
                await asyncio.sleep(-late_s)
            else:
                self.worst_late_s = max(self.worst_late_s, late_s)
            packet = self._said.popleft() if self._said else noise[self._sent % len(noise)]
            self._sent += 1
            if self.listening or (self._open and self.state is State.SPEAKING and self.habits.mode == "realtime"):
                with contextlib.suppress(ConnectionFailedError):  # the reader notices, and closes the channel
                    await self.link.send_opus(packet)

    # -- messages ------------------------------------------------------------------------------------------------------

    async def _send(self, message: dict[str, Any]) -> None:
        await self.link.send_json({"session_id": self.session_id} | message)

    def _read_on(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(), name="xiaozhi-reader")

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionFailedError):  # gone while something was answered: gone all the same
            while (message := await self.link.receive()) is not None:
                self._heard_at_s = time.monotonic()
                if isinstance(message, bytes):
                    self._hear(message, self._heard_at_s)
                else:
                    await self._obey(json.loads(message), self._heard_at_s)
                    self.on_message(self.messages[-1], self._heard_at_s)
                self._changed.set()
        await self._channel_gone(close=False)

    def _hear(self, opus: bytes, now_s: float) -> None:
        if self.state is not State.SPEAKING or now_s < self._speaking_from_s:
            self.discarded += 1
            return
        starts_s = self.queue.push(now_s, self._down_frame_s)
        if starts_s is not None:
            self.replies[-1].packets.append(Packet(now_s, starts_s, opus))

    async def _obey(self, message: dict[str, Any], now_s: float) -> None:
        self.messages.append(message)
        match message["type"], message.get("state"):
            case "hello", _:
                await self._greeted(message)
            case "tts", "start":
                self._speak(now_s)
            case "tts", "stop":
                self._stop_speaking(now_s)
            case "tts", "sentence_start" if self.replies:
                self.replies[-1].sentences.append(str(message["text"]))
            case "mcp", _:
                answer = self.tools.answer(message["payload"])
                if answer is not None:
                    await self._send({"type": "mcp", "payload": answer})
            case "goodbye", _ if message.get("session_id") in (None, self.session_id):
                await self._channel_gone(close=False)

    async def _greeted(self, hello: dict[str, Any]) -> None:
        if hello["transport"] != self.link.transport:
            return
        self.session_id = str(hello.get("session_id", ""))
        sound = hello["audio_params"]
        self.down_rate_hz, self._down_frame_s = int(sound["sample_rate"]), int(sound["frame_duration"]) / 1000
        await self.link.opened(hello)
        self._open = True
        self._hello.set()
