"""The JSON messages of the xiaozhi protocol: what a device says as typed events, what the server says as text.

Source: xiaozhi-esp32 2.4.2 `protocol.cc`, `websocket_protocol.cc`, `mqtt_protocol.cc`, `application.cc`. A session id
in a device's message is never compared: clients send an empty one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from entendre.wire.failure import ProtocolFailed
from entendre.wire.lenient import Json, compact, count_of, flag_of, object_of, objects_of, parse_object, text_of

MAX_MESSAGE_BYTES = 65_535
"""The device itself sends at most this much in a message."""
MAX_TEXT_CHARS = 4_096
"""Of typed input and of a wake word."""
MAX_NAME_CHARS = 64
MAX_SHOWN_CHARS = 1_000
"""Of a text that the server has the device show: the message stays below 8 kB whatever the script."""
MAX_IOT_ITEMS = 64
FRAME_LENGTHS_MS = (5, 10, 20, 40, 60, 80, 100, 120)
OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
EMOTIONS: Mapping[str, str] = {
    "neutral": "😶", "happy": "🙂", "laughing": "😆", "funny": "😂", "sad": "😔", "angry": "😠", "crying": "😭",
    "loving": "😍", "embarrassed": "😳", "surprised": "😲", "shocked": "😱", "thinking": "🤔", "winking": "😉",
    "cool": "😎", "relaxed": "😌", "delicious": "🤤", "kissy": "😘", "confident": "😏", "sleepy": "😴",
    "silly": "😜", "confused": "🙄",
}  # fmt: skip
"""Every face that the firmware can draw, and its sign for devices that write it."""

_MCP_ID = re.compile(r'"id"\s*:\s*(\d{1,10})')
_MCP_TYPE = re.compile(r'"type"\s*:\s*"mcp"')


class ListenMode(StrEnum):
    """Who ends an utterance, and whether the microphone stays open while the device speaks."""

    AUTO = "auto"
    MANUAL = "manual"
    REALTIME = "realtime"


@dataclass(frozen=True, slots=True)
class AudioParams:
    """One direction's Opus stream."""

    rate_hz: int = 16_000
    channels: int = 1
    frame_ms: int = 60


@dataclass(frozen=True, slots=True)
class Features:
    """What a device says it can do. `aec` asks the server to cancel echo."""

    mcp: bool = False
    aec: bool = False
    glyph_push: bool = False


@dataclass(frozen=True, slots=True)
class Hello:
    """The device opened a channel. `transport` is as sent, empty where it said none."""

    transport: str = ""
    version: int = 1
    features: Features = Features()
    audio: AudioParams = AudioParams()


@dataclass(frozen=True, slots=True)
class ListenStarted:
    """The microphone is open."""

    mode: ListenMode = ListenMode.AUTO


@dataclass(frozen=True, slots=True)
class ListenStopped:
    """The microphone was closed by hand."""


@dataclass(frozen=True, slots=True)
class WakeWordDetected:
    """A wake word, a button's event, or typed input."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class AbortRequested:
    """The reply must stop now."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class McpMessage:
    """A JSON-RPC message of the device's tool server; an error whose JSON was broken has been mended."""

    payload: Json


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The device closed its channel."""

    session: str = ""


@dataclass(frozen=True, slots=True)
class IotReported:
    """What firmware up to 1.7 has and how it is."""

    descriptors: tuple[Json, ...] = ()
    states: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """Anything else, to be ignored; `kind` is empty where it was no readable JSON object."""

    kind: str = ""


DeviceMessage = (
    Hello
    | ListenStarted
    | ListenStopped
    | WakeWordDetected
    | AbortRequested
    | McpMessage
    | Goodbye
    | IotReported
    | Unknown
)


def read_message(text: str | bytes) -> DeviceMessage | ProtocolFailed:
    """One message of a device. Only a message beyond all bounds fails; what can't be understood is `Unknown`."""
    if len(text) > MAX_MESSAGE_BYTES:
        return ProtocolFailed("message_too_long", f"a message is longer than {MAX_MESSAGE_BYTES} bytes")
    document = parse_object(text)
    if document is None:
        return _mended(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)
    kind = text_of(document, "type", MAX_NAME_CHARS)
    read = _READERS.get(kind)
    return read(document) if read else Unknown(kind)


def hello_websocket(session: str, audio: AudioParams) -> str:
    """The answer to a hello over WebSocket; `audio` is what the server sends."""
    return compact({"type": "hello", "transport": "websocket", "session_id": session, "audio_params": _audio(audio)})


def hello_udp(session: str, audio: AudioParams, *, host: str, port: int, key: bytes, nonce: bytes) -> str:
    """The answer to a hello over MQTT; key and nonce are 16 bytes each."""
    channel = {"server": host, "port": port, "encryption": "aes-128-ctr", "key": key.hex(), "nonce": nonce.hex()}
    hello = {"type": "hello", "version": 3, "transport": "udp", "session_id": session, "udp": channel}
    return compact(hello | {"audio_params": _audio(audio)})


def stt(session: str, text: str) -> str:
    """Shows what was heard."""
    return _message(session, "stt", text=_shown(text))


def llm(session: str, emotion: str) -> str:
    """Shows a face; one that the firmware does not know becomes neutral."""
    known = emotion if emotion in EMOTIONS else "neutral"
    return _message(session, "llm", emotion=known, text=EMOTIONS[known])


def tts_start(session: str) -> str:
    """The device starts to speak: only now does it play audio."""
    return _message(session, "tts", state="start")


def tts_sentence(session: str, text: str) -> str:
    """Shows the sentence that is spoken next."""
    return _message(session, "tts", state="sentence_start", text=_shown(text))


def tts_stop(session: str) -> str:
    """The last packet was sent."""
    return _message(session, "tts", state="stop")


def system_reboot(session: str) -> str:
    """Restarts the device."""
    return _message(session, "system", command="reboot")


def alert(session: str, status: str, message: str, emotion: str = "neutral") -> str:
    """Shows a notice and buzzes."""
    known = emotion if emotion in EMOTIONS else "neutral"
    return _message(session, "alert", status=_shown(status), message=_shown(message), emotion=known)


def mcp(session: str, payload: Mapping[str, Any]) -> str:
    """A JSON-RPC message for the device's tool server."""
    return _message(session, "mcp", payload=payload)


def iot_commands(session: str, commands: Sequence[Mapping[str, Any]]) -> str:
    """Commands for firmware up to 1.7: name, method and parameters each."""
    return _message(session, "iot", commands=list(commands))


def goodbye(session: str) -> str:
    """Closes the channel of a device that is connected over MQTT."""
    return _message(session, "goodbye")


def _message(session: str, kind: str, **members: Any) -> str:
    return compact({"session_id": session, "type": kind} | members)


def _shown(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 1] + "…"


def _audio(audio: AudioParams) -> Json:
    rate = {"format": "opus", "sample_rate": audio.rate_hz, "channels": audio.channels}
    return rate | {"frame_duration": audio.frame_ms}


def _mended(text: str) -> DeviceMessage:
    """The firmware writes the message of an MCP error without escaping it."""
    asked = _MCP_ID.search(text)
    if asked is None or '"error"' not in text or not _MCP_TYPE.search(text):
        return Unknown()
    return McpMessage({"jsonrpc": "2.0", "id": int(asked[1]), "error": {"message": "unreadable"}})


def _hello(document: Json) -> Hello:
    features, audio = object_of(document, "features"), object_of(document, "audio_params")
    rate_hz, frame_ms = count_of(audio, "sample_rate"), count_of(audio, "frame_duration")
    return Hello(
        transport=text_of(document, "transport", MAX_NAME_CHARS),
        version=count_of(document, "version", 1),
        features=Features(flag_of(features, "mcp"), flag_of(features, "aec"), flag_of(features, "glyph_push")),
        audio=AudioParams(
            rate_hz=rate_hz if rate_hz in OPUS_RATES_HZ else 16_000,
            channels=2 if count_of(audio, "channels") == 2 else 1,
            frame_ms=frame_ms if frame_ms in FRAME_LENGTHS_MS else 60,
        ),
    )


def _listen(document: Json) -> DeviceMessage:
    state = text_of(document, "state", MAX_NAME_CHARS)
    if state == "start":
        mode = text_of(document, "mode", MAX_NAME_CHARS)
        return ListenStarted(ListenMode(mode) if mode in tuple(ListenMode) else ListenMode.AUTO)
    if state == "stop":
        return ListenStopped()
    if state == "detect":
        return WakeWordDetected(text_of(document, "text", MAX_TEXT_CHARS))
    return Unknown("listen")


def _abort(document: Json) -> AbortRequested:
    return AbortRequested(text_of(document, "reason", MAX_NAME_CHARS))


def _mcp(document: Json) -> DeviceMessage:
    payload = document.get("payload")
    return McpMessage(payload) if isinstance(payload, dict) else Unknown("mcp")


def _goodbye(document: Json) -> Goodbye:
    return Goodbye(text_of(document, "session_id", MAX_NAME_CHARS))


def _iot(document: Json) -> IotReported:
    return IotReported(
        objects_of(document, "descriptors", MAX_IOT_ITEMS), objects_of(document, "states", MAX_IOT_ITEMS)
    )


_READERS = {"hello": _hello, "listen": _listen, "abort": _abort, "mcp": _mcp, "goodbye": _goodbye, "iot": _iot}
