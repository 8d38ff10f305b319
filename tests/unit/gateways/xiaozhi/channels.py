"""A device at the other end of a talk: what it is sent, with times, and packets of what is said to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from parts import Stage

from entendre.gateways.xiaozhi.downlink import AudioPacket
from entendre.gateways.xiaozhi.settings import XiaozhiSettings
from entendre.gateways.xiaozhi.talk import Talk
from entendre.session.api import DeviceLink, DeviceProfile
from entendre.session.conversation import LiveConversation
from entendre.wire import xiaozhi_messages as wire

PACKET_MS = 60


@lru_cache(maxsize=16)
def spoken(seconds: float, packet_ms: int = PACKET_MS) -> tuple[bytes, ...]:
    """Packets of a loud tone: what `LoudnessVad` takes for speech."""
    at = np.arange(int(seconds * 16_000)) / 16_000
    return _encoded((12_000 * np.sin(2 * np.pi * 220 * at)).astype("<i2").tobytes(), packet_ms)


@lru_cache(maxsize=16)
def silent(seconds: float, packet_ms: int = PACKET_MS) -> tuple[bytes, ...]:
    """Packets of silence."""
    return _encoded(bytes(2 * int(seconds * 16_000)), packet_ms)


def _encoded(pcm16: bytes, packet_ms: int) -> tuple[bytes, ...]:
    from opuslib_next import Encoder

    encoder, samples = Encoder(16_000, 1, "voip"), 16 * packet_ms
    whole = range(0, len(pcm16) - samples * 2 + 1, samples * 2)
    return tuple(encoder.encode(pcm16[at : at + samples * 2], samples) for at in whole)


@dataclass
class FakeDevice:
    """A channel that keeps what is sent on it, and when."""

    sent: list[tuple[float, Any]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    on_text: Callable[[dict[str, Any]], None] = lambda message: None
    stuck: bool = False

    async def send_text(self, text: str) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        message = json.loads(text)
        self._keep(message)
        self.on_text(message)

    async def send_audio(self, packet: AudioPacket) -> None:
        self._keep(packet)

    def _keep(self, item: Any) -> None:
        self.sent.append((asyncio.get_running_loop().time(), item))
        self.changed.set()

    def steps(self) -> list[str]:
        """What happened, audio in one step however long."""
        names: list[str] = []
        for _, item in self.sent:
            name = "audio" if isinstance(item, AudioPacket) else _name(item)
            if name != "audio" or names[-1:] != ["audio"]:
                names.append(name)
        return names

    def texts(self, name: str) -> list[dict[str, Any]]:
        return [item for _, item in self.sent if isinstance(item, dict) and _name(item) == name]

    def times(self, name: str) -> list[float]:
        return [at for at, item in self.sent if isinstance(item, dict) and _name(item) == name]

    def packets(self) -> list[tuple[float, AudioPacket]]:
        return [(at, item) for at, item in self.sent if isinstance(item, AudioPacket)]

    async def until(self, name: str, count: int = 1, timeout_s: float = 30.0) -> None:
        async with asyncio.timeout(timeout_s):
            while len(self.packets() if name == "audio" else self.texts(name)) < count:
                self.changed.clear()
                await self.changed.wait()


def _name(message: dict[str, Any]) -> str:
    return f"tts {message['state']}" if message["type"] == "tts" else str(message["type"])


@dataclass
class Scene:
    """A talk with its device, its conversation and everything around it."""

    stage: Stage
    device: FakeDevice
    talk: Talk
    task: asyncio.Task[str]
    conversation: LiveConversation

    def tell(self, text: str) -> None:
        """The device sends a message."""
        read = wire.read_message(text)
        assert not hasattr(read, "code")
        self.talk.received(read)  # type: ignore[arg-type]

    def listen(self, mode: str) -> None:
        self.tell(json.dumps({"type": "listen", "state": "start", "mode": mode}))

    def stop_listening(self) -> None:
        self.tell('{"type":"listen","state":"stop"}')

    def detect(self, text: str) -> None:
        self.tell(json.dumps({"type": "listen", "state": "detect", "text": text}))

    def abort(self) -> None:
        self.tell('{"type":"abort","reason":"wake_word_detected"}')

    async def stream(self, packets: tuple[bytes, ...], packet_ms: int = PACKET_MS) -> None:
        """Send packets as a microphone does: each once it is full."""
        for packet in packets:
            await asyncio.sleep(packet_ms / 1000)
            self.talk.hear_packet(packet)

    async def say(self, seconds: float = 0.6, after_s: float = 1.2) -> None:
        await self.stream(spoken(seconds))
        await self.stream(silent(after_s))


class _Factory:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def open(self, profile: DeviceProfile, link: DeviceLink) -> LiveConversation:
        self.talk = LiveConversation(self.stage.assistant, profile, link)
        return self.talk


@asynccontextmanager
async def scene(
    stage: Stage,
    settings: XiaozhiSettings | None = None,
    hello: wire.Hello | None = None,
    **parts: Any,
) -> AsyncIterator[Scene]:
    """A talk that runs, on the loop's own time."""
    settings = settings or XiaozhiSettings()
    device, factory = FakeDevice(), _Factory(stage)
    clock = asyncio.get_running_loop().time
    talk = Talk(
        device,
        factory,
        DeviceProfile(device="d1", reply_lead_s=settings.reply_lead_s, takes_fillers=True),
        settings,
        session="s-1",
        hello=hello or wire.Hello(),
        clock=clock,
        **parts,
    )
    task = asyncio.create_task(talk.run())
    try:
        yield Scene(stage, device, talk, task, factory.talk)
    finally:
        talk.end("over")
        await asyncio.gather(task, return_exceptions=True)
        await stage.assistant.keeper.close()
