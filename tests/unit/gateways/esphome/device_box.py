"""A voice device as ESPHome firmware behaves, made of aioesphomeapi's own messages: plaintext or Noise, either way."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aioesphomeapi import VoiceAssistantFeature as Feature
from aioesphomeapi import api_pb2 as pb
from aioesphomeapi.core import MESSAGE_TYPE_TO_PROTO
from cryptography.exceptions import InvalidTag
from noise.connection import NoiseConnection

NOISE_PROTOCOL = b"Noise_NNpsk0_25519_ChaChaPoly_SHA256"
PROLOGUE = b"NoiseAPIInit\x00\x00"
NUMBERS = {kind: number for number, kind in MESSAGE_TYPE_TO_PROTO.items()}
VOICE = Feature.VOICE_ASSISTANT | Feature.API_AUDIO
LVA = VOICE | Feature.TIMERS | Feature.ANNOUNCE | Feature.START_CONVERSATION
EVENT = {
    value.number: value.name.removeprefix("VOICE_ASSISTANT_") for value in pb.VoiceAssistantEvent.DESCRIPTOR.values
}

Message = TypeVar("Message")


@dataclass
class Box:
    """One device: what it is, what it was told, and what it says when a test asks it to."""

    name: str = "kitchen-box"
    hardware: str = "02:00:00:00:00:07"
    features: int = int(LVA)
    area: str = "kitchen"
    key: str | None = None
    project: str = "Open Home Foundation.Linux Voice Assistant"
    formats: tuple[tuple[str, int, int], ...] = ()
    player: bool = True
    light: bool = False
    silent: bool = False
    wake_words: dict[str, str] = field(default_factory=lambda: {"okay_nabu": "Okay Nabu", "hey_jarvis": "Hey Jarvis"})
    active: list[str] = field(default_factory=lambda: ["okay_nabu"])
    max_active: int = 2
    port: int = 0
    received: list[Any] = field(default_factory=list)
    clients: int = 0
    hears: Callable[[Any], Iterable[Any]] = lambda message: ()
    """What else it answers to a message."""
    client: Client | None = None

    def send(self, *messages: Any) -> None:
        assert self.client is not None, "nobody is connected"
        self.client.send(*messages)

    def all(self, kind: type[Message]) -> list[Message]:
        return [each for each in self.received if isinstance(each, kind)]

    def events(self) -> list[str]:
        """Names of the events of voice turns that it was told."""
        return [EVENT[each.event_type] for each in self.all(pb.VoiceAssistantEventResponse)]

    def data(self, event: str) -> list[dict[str, str]]:
        """The data of every event of this name."""
        found = [each for each in self.all(pb.VoiceAssistantEventResponse) if EVENT[each.event_type] == event]
        return [{item.name: item.value for item in each.data} for each in found]

    def wake(self, word: str = "Okay Nabu", flags: int = 0) -> None:
        self.send(pb.VoiceAssistantRequest(start=True, wake_word_phrase=word, flags=flags))

    def speak(self, pcm16: bytes) -> None:
        for start in range(0, len(pcm16), 1024):
            self.send(pb.VoiceAssistantAudio(data=pcm16[start : start + 1024]))

    @property
    def subscribed(self) -> bool:
        return any(each.subscribe for each in self.all(pb.SubscribeVoiceAssistantRequest))

    def answer(self, message: Any) -> Iterable[Any]:
        """What firmware answers of itself."""
        match message:
            case pb.HelloRequest():
                yield pb.HelloResponse(api_version_major=1, api_version_minor=10, name=self.name)
            case pb.AuthenticationRequest():
                yield pb.AuthenticationResponse()
            case pb.PingRequest():
                yield pb.PingResponse()
            case pb.DisconnectRequest():
                yield pb.DisconnectResponse()
            case pb.DeviceInfoRequest():
                yield pb.DeviceInfoResponse(
                    name=self.name,
                    mac_address=self.hardware,
                    suggested_area=self.area,
                    project_name=self.project,
                    voice_assistant_feature_flags=self.features,
                )
            case pb.ListEntitiesRequest():
                yield from self._entities()
                yield pb.ListEntitiesDoneResponse()
            case pb.VoiceAssistantConfigurationRequest():
                yield self._wake_word_configuration(message)
            case pb.VoiceAssistantSetConfiguration():
                self.active = list(message.active_wake_words)
        yield from self.hears(message)

    def _entities(self) -> Iterable[Any]:
        if self.player:
            formats = [
                pb.MediaPlayerSupportedFormat(format=name, sample_rate=rate, num_channels=channels, purpose=1)
                for name, rate, channels in self.formats
            ]
            yield pb.ListEntitiesMediaPlayerResponse(
                key=1, object_id="player", name="Player", supports_pause=True, supported_formats=formats
            )
        if self.light:
            yield pb.ListEntitiesLightResponse(key=2, object_id="led", name="LED", supported_color_modes=[35])

    def _wake_word_configuration(self, message: Any) -> Any:
        offered = {each.id: each.wake_word for each in message.external_wake_words if each.model_type == "micro"}
        self.wake_words |= offered
        return pb.VoiceAssistantConfigurationResponse(
            available_wake_words=[
                pb.VoiceAssistantWakeWord(id=id_, wake_word=word) for id_, word in self.wake_words.items()
            ],
            active_wake_words=self.active,
            max_active_wake_words=self.max_active,
        )

    @asynccontextmanager
    async def switched_on(self) -> AsyncIterator[Box]:
        """Listen for whoever dials it."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            if self.client is not None:
                self.client.writer.transport.abort()
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def dialling(self, port: int) -> AsyncIterator[Box]:
        """Dial somebody who listens."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        task = asyncio.create_task(self._serve(reader, writer, True))
        try:
            yield self
        finally:
            writer.transport.abort()
            await asyncio.gather(task, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, dialled: bool = False) -> None:
        client = Client(self, reader, writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await client.shake_hands(dialled=dialled)
            self.client = client
            self.clients += 1
            while (message := await client.receive()) is not None:
                self.received.append(message)
                if not self.silent:
                    client.send(*self.answer(message))
                if isinstance(message, pb.DisconnectRequest):
                    break
        writer.close()


class Client:
    """One connection to the device."""

    def __init__(self, box: Box, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._box = box
        self._reader = reader
        self.writer = writer
        self._noise: NoiseConnection | None = None

    async def shake_hands(self, *, dialled: bool) -> None:
        box = self._box
        if box.key is None:
            return
        hello = b"\x01" + box.name.encode() + b"\x00" + box.hardware.replace(":", "").encode() + b"\x00"
        if dialled:  # whoever dials says who it is, so that its key can be chosen
            self._write_frame(hello)
        await self._read_frame()
        if not dialled:
            self._write_frame(hello)
        noise = NoiseConnection.from_name(NOISE_PROTOCOL)
        noise.set_as_responder()
        noise.set_psks(base64.b64decode(box.key))
        noise.set_prologue(PROLOGUE)
        noise.start_handshake()
        try:
            noise.read_message((await self._read_frame())[1:])
        except InvalidTag:
            self._write_frame(b"\x01Handshake MAC failure")
            raise ConnectionError("wrong key") from None
        self._write_frame(b"\x00" + noise.write_message())
        self._noise = noise

    def send(self, *messages: Any) -> None:
        for message in messages:
            number, data = NUMBERS[type(message)], message.SerializeToString()
            if self._noise is not None:
                head = number.to_bytes(2, "big") + len(data).to_bytes(2, "big")
                self._write_frame(self._noise.encrypt(head + data))
            else:
                self.writer.write(b"\x00" + _varint(len(data)) + _varint(number) + data)

    async def receive(self) -> Any:
        if self._noise is not None:
            frame = self._noise.decrypt(await self._read_frame())
            return MESSAGE_TYPE_TO_PROTO[int.from_bytes(frame[:2], "big")].FromString(frame[4:])
        start = await self._reader.readexactly(1)
        if start != b"\x00":
            self.writer.write(b"\x00Bad indicator byte")
            raise ConnectionError("not plaintext")
        size, number = await self._read_varint(), await self._read_varint()
        return MESSAGE_TYPE_TO_PROTO[number].FromString(await self._reader.readexactly(size))

    def _write_frame(self, data: bytes) -> None:
        self.writer.write(b"\x01" + len(data).to_bytes(2, "big") + data)

    async def _read_frame(self) -> bytes:
        head = await self._reader.readexactly(3)
        if head[0] != 1:
            self.writer.write(b"\x01\x00\x00")
            raise ConnectionError("not encrypted")
        return await self._reader.readexactly(int.from_bytes(head[1:], "big"))

    async def _read_varint(self) -> int:
        value, shift = 0, 0
        while True:
            (byte,) = await self._reader.readexactly(1)
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
