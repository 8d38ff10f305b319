"""What a server of the OpenAI Realtime protocol says: typed events in, JSON text out, in either dialect."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from entendre.wire.realtime_checks import Json
from entendre.wire.realtime_items import Item, Part, Response, event_part_json, item_json, response_json
from entendre.wire.realtime_session import Dialect, SessionConfig, session_json


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """Root of everything that is sent. Its fields are the event's JSON keys; empty optional ones are written too."""

    type: ClassVar[str] = ""
    beta_type: ClassVar[str] = ""
    """The event's name in the older dialect, where it differs."""


@dataclass(frozen=True, slots=True)
class SessionCreated(ServerEvent):
    """First event of every connection."""

    type: ClassVar[str] = "session.created"
    id: str
    session: SessionConfig


@dataclass(frozen=True, slots=True)
class SessionChanged(ServerEvent):
    """The session after an update."""

    type: ClassVar[str] = "session.updated"
    id: str
    session: SessionConfig


@dataclass(frozen=True, slots=True)
class Failed(ServerEvent):
    """An error; the connection goes on unless it is closed next."""

    type: ClassVar[str] = "error"
    kind: str
    code: str
    message: str
    param: str | None = None
    client_event: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechBegan(ServerEvent):
    """Somebody began to speak; `item_id` is the item that the utterance will become."""

    type: ClassVar[str] = "input_audio_buffer.speech_started"
    audio_start_ms: int
    item_id: str


@dataclass(frozen=True, slots=True)
class SpeechEnded(ServerEvent):
    """The utterance is over."""

    type: ClassVar[str] = "input_audio_buffer.speech_stopped"
    audio_end_ms: int
    item_id: str


@dataclass(frozen=True, slots=True)
class BufferCommitted(ServerEvent):
    """The utterance became an item."""

    type: ClassVar[str] = "input_audio_buffer.committed"
    item_id: str
    previous_item_id: str | None


@dataclass(frozen=True, slots=True)
class BufferCleared(ServerEvent):
    """Uncommitted audio is forgotten."""

    type: ClassVar[str] = "input_audio_buffer.cleared"


@dataclass(frozen=True, slots=True)
class ItemAdded(ServerEvent):
    """An item joined the conversation."""

    type: ClassVar[str] = "conversation.item.added"
    beta_type: ClassVar[str] = "conversation.item.created"
    previous_item_id: str | None
    item: Item


@dataclass(frozen=True, slots=True)
class ItemFinished(ServerEvent):
    """An item is final. The older dialect has no such event."""

    type: ClassVar[str] = "conversation.item.done"
    beta_type: ClassVar[str] = "-"
    previous_item_id: str | None
    item: Item


@dataclass(frozen=True, slots=True)
class ItemShown(ServerEvent):
    """Answers a retrieval."""

    type: ClassVar[str] = "conversation.item.retrieved"
    item: Item


@dataclass(frozen=True, slots=True)
class ItemCut(ServerEvent):
    """A reply was truncated."""

    type: ClassVar[str] = "conversation.item.truncated"
    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class ItemGone(ServerEvent):
    """An item was deleted."""

    type: ClassVar[str] = "conversation.item.deleted"
    item_id: str


@dataclass(frozen=True, slots=True)
class WordsHeard(ServerEvent):
    """Words to append to those of an item."""

    type: ClassVar[str] = "conversation.item.input_audio_transcription.delta"
    item_id: str
    content_index: int
    delta: str


@dataclass(frozen=True, slots=True)
class Transcribed(ServerEvent):
    """The final words of an item."""

    type: ClassVar[str] = "conversation.item.input_audio_transcription.completed"
    item_id: str
    content_index: int
    transcript: str
    seconds: float


@dataclass(frozen=True, slots=True)
class TranscriptionFailed(ServerEvent):
    """The words of an item could not be found out."""

    type: ClassVar[str] = "conversation.item.input_audio_transcription.failed"
    item_id: str
    content_index: int
    error: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ResponseBegan(ServerEvent):
    """A response is under way."""

    type: ClassVar[str] = "response.created"
    response: Response


@dataclass(frozen=True, slots=True)
class ResponseEnded(ServerEvent):
    """A response is over, whatever became of it."""

    type: ClassVar[str] = "response.done"
    response: Response


@dataclass(frozen=True, slots=True)
class OutputAdded(ServerEvent):
    """A response has a new item."""

    type: ClassVar[str] = "response.output_item.added"
    response_id: str
    output_index: int
    item: Item


@dataclass(frozen=True, slots=True)
class OutputFinished(ServerEvent):
    """An item of a response is final."""

    type: ClassVar[str] = "response.output_item.done"
    response_id: str
    output_index: int
    item: Item


@dataclass(frozen=True, slots=True)
class PartAdded(ServerEvent):
    """An item has a new content part."""

    type: ClassVar[str] = "response.content_part.added"
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    part: Part


@dataclass(frozen=True, slots=True)
class PartFinished(ServerEvent):
    """A content part is final."""

    type: ClassVar[str] = "response.content_part.done"
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    part: Part


@dataclass(frozen=True, slots=True)
class AudioSaid(ServerEvent):
    """A piece of a reply's audio in the session's output format."""

    type: ClassVar[str] = "response.output_audio.delta"
    beta_type: ClassVar[str] = "response.audio.delta"
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AudioFinished(ServerEvent):
    """A reply's audio is complete."""

    type: ClassVar[str] = "response.output_audio.done"
    beta_type: ClassVar[str] = "response.audio.done"
    response_id: str
    item_id: str
    output_index: int
    content_index: int


@dataclass(frozen=True, slots=True)
class WordsSaid(ServerEvent):
    """Words of a spoken reply."""

    type: ClassVar[str] = "response.output_audio_transcript.delta"
    beta_type: ClassVar[str] = "response.audio_transcript.delta"
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: str


@dataclass(frozen=True, slots=True)
class WordsFinished(ServerEvent):
    """All words of a spoken reply."""

    type: ClassVar[str] = "response.output_audio_transcript.done"
    beta_type: ClassVar[str] = "response.audio_transcript.done"
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    transcript: str


@dataclass(frozen=True, slots=True)
class TextWritten(ServerEvent):
    """Words of a written reply."""

    type: ClassVar[str] = "response.output_text.delta"
    beta_type: ClassVar[str] = "response.text.delta"
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: str


@dataclass(frozen=True, slots=True)
class TextFinished(ServerEvent):
    """All words of a written reply."""

    type: ClassVar[str] = "response.output_text.done"
    beta_type: ClassVar[str] = "response.text.done"
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    text: str


@dataclass(frozen=True, slots=True)
class ArgumentsWritten(ServerEvent):
    """A piece of a function call's arguments."""

    type: ClassVar[str] = "response.function_call_arguments.delta"
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class ArgumentsFinished(ServerEvent):
    """All arguments of a function call."""

    type: ClassVar[str] = "response.function_call_arguments.done"
    response_id: str
    item_id: str
    output_index: int
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Extension(ServerEvent):
    """An event of our own, `entendre.<name>`, sent to clients that ask for it in `session.include`."""

    name: str
    body: Mapping[str, Any]


def event_json(event: ServerEvent, event_id: str, dialect: Dialect) -> Json | None:
    """An event as this dialect writes it, None where the dialect has no such event."""
    name = (dialect is Dialect.BETA and event.beta_type) or event.type
    if name == "-":
        return None
    document: Json = {"type": name, "event_id": event_id}
    match event:
        case Extension():
            document["type"] = f"entendre.{event.name}"
            document |= event.body
        case SessionCreated() | SessionChanged():
            document["session"] = session_json(event.session, event.id, dialect)
        case Failed():
            error = {"type": event.kind, "code": event.code, "message": event.message}
            document["error"] = error | {"param": event.param, "event_id": event.client_event}
        case AudioSaid():
            document |= _plain(event, dialect, skip="delta")
            document["delta"] = base64.b64encode(event.delta).decode("ascii")
        case Transcribed():
            document |= _plain(event, dialect, skip="seconds")
            document["usage"] = {"type": "duration", "seconds": round(event.seconds, 3)}
        case _:
            document |= _plain(event, dialect)
    return document


def _plain(event: ServerEvent, dialect: Dialect, skip: str = "") -> Json:
    names = (item.name for item in fields(event) if item.name != skip)
    return {name: _value(getattr(event, name), dialect) for name in names}


def _value(value: Any, dialect: Dialect) -> Any:
    match value:
        case Item():
            return item_json(value, dialect)
        case Response():
            return response_json(value, dialect)
        case Part():
            return event_part_json(value)
        case _:
            return value
