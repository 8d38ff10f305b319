"""What a client of the OpenAI Realtime protocol says: JSON text in, typed events out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from entendre.wire.failure import ProtocolFailed
from entendre.wire.lenient import is_too_deep
from entendre.wire.realtime_checks import (
    MAX_ID_CHARS,
    Json,
    Refused,
    integer_at,
    list_at,
    object_at,
    optional_string_at,
    string_at,
    without_surrogates,
)
from entendre.wire.realtime_fleet import DeviceSaid, device_event
from entendre.wire.realtime_items import Item, audio_at, item_of
from entendre.wire.realtime_session import MAX_TOOLS, SessionConfig, Tool, speaks, tools_of, updated

MAX_EVENT_BYTES = 4 * 1024 * 1024
"""Bounds one message: about a minute of 24 kHz audio in base64."""
MAX_INPUT_ITEMS = 32
MAX_METADATA = 16
MAX_METADATA_CHARS = 512
MAX_AUDIO_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class SessionUpdated:
    """The client changed the session; `config` is the whole of it afterwards."""

    config: SessionConfig


@dataclass(frozen=True, slots=True)
class AudioAppended:
    """Microphone audio in the session's input format."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class AudioCommitted:
    """The client says that its utterance is over."""


@dataclass(frozen=True, slots=True)
class AudioCleared:
    """The client wants its uncommitted audio forgotten."""


@dataclass(frozen=True, slots=True)
class ItemCreated:
    """The client adds an item after `previous`, "root" for the start, None for the end."""

    item: Item
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class ItemRetrieved:
    """The client asks for an item."""

    item: str


@dataclass(frozen=True, slots=True)
class ItemTruncated:
    """The client played only this much of a reply's audio."""

    item: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class ItemDeleted:
    """The client removes an item."""

    item: str


@dataclass(frozen=True, slots=True)
class ResponseRequested:
    """The client asks for a response; None leaves a setting as the session has it."""

    input: tuple[Item, ...] | None = None
    speaks: bool | None = None
    tools: tuple[Tool, ...] | None = None
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseCancelled:
    """The client stops the response."""

    response: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that cannot be followed; the connection goes on. `event` is the client's own id of it."""

    code: str
    message: str
    param: str | None = None
    event: str | None = None


ClientEvent = (
    SessionUpdated
    | AudioAppended
    | AudioCommitted
    | AudioCleared
    | ItemCreated
    | ItemRetrieved
    | ItemTruncated
    | ItemDeleted
    | ResponseRequested
    | ResponseCancelled
    | DeviceSaid
    | Rejected
)


@dataclass(frozen=True, slots=True)
class Received:
    """A client's event with the client's own id of it, which errors quote."""

    event: ClientEvent
    id: str | None = None


def read_event(text: str, config: SessionConfig, fallback_id: str) -> Received | ProtocolFailed:
    """One message of a client. `fallback_id` names an item that the client did not name."""
    if len(text) > MAX_EVENT_BYTES:
        return ProtocolFailed("event_too_large", f"An event may have at most {MAX_EVENT_BYTES} bytes.")
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return ProtocolFailed("invalid_json", "The event is not valid JSON.")
    if not isinstance(document, dict):
        return ProtocolFailed("invalid_json", "The event is not a JSON object.")
    if is_too_deep(text, document):
        return ProtocolFailed("invalid_json", "The event is nested too deeply.")
    given_id = document.get("event_id")
    event_id = without_surrogates(given_id[:MAX_ID_CHARS]) if isinstance(given_id, str) else None
    try:
        return Received(_event_of(text, document, config, fallback_id), event_id)
    except Refused as refused:
        return Received(Rejected(refused.code, refused.message, refused.param, event_id), event_id)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _event_of(text: str, document: Json, config: SessionConfig, fallback_id: str) -> ClientEvent:
    kind = string_at(document, "type", "", limit=128)
    read = _READERS.get(kind)
    if read is not None:
        return read(document, config, fallback_id)
    said = device_event(kind, text, document)
    if said is None:
        raise Refused("invalid_value", "Unknown event type.", "type")
    return said


def _session_update(document: Json, config: SessionConfig, _: str) -> ClientEvent:
    session = object_at(document, "session", "")
    if session is None:
        raise Refused("missing_required_parameter", "Missing required parameter: 'session'.", "session")
    return SessionUpdated(updated(config, session))


def _append(document: Json, *_: object) -> ClientEvent:
    return AudioAppended(audio_at(document, ""))


def _commit(*_: object) -> ClientEvent:
    return AudioCommitted()


def _clear(*_: object) -> ClientEvent:
    return AudioCleared()


def _item_create(document: Json, _: SessionConfig, fallback_id: str) -> ClientEvent:
    item = object_at(document, "item", "")
    if item is None:
        raise Refused("missing_required_parameter", "Missing required parameter: 'item'.", "item")
    return ItemCreated(item_of(item, "item.", fallback_id), optional_string_at(document, "previous_item_id", ""))


def _item_retrieve(document: Json, *_: object) -> ClientEvent:
    return ItemRetrieved(string_at(document, "item_id", ""))


def _item_truncate(document: Json, *_: object) -> ClientEvent:
    integer_at(document, "content_index", "", 0, 0, 0)
    return ItemTruncated(string_at(document, "item_id", ""), integer_at(document, "audio_end_ms", "", 0, MAX_AUDIO_MS))


def _item_delete(document: Json, *_: object) -> ClientEvent:
    return ItemDeleted(string_at(document, "item_id", ""))


def _response_create(document: Json, _: SessionConfig, fallback_id: str) -> ClientEvent:
    settings = object_at(document, "response", "")
    if settings is None:
        return ResponseRequested()
    path = "response."
    items: tuple[Item, ...] | None = None
    if settings.get("input") is not None:
        written = list_at(settings, "input", path, MAX_INPUT_ITEMS)
        items = tuple(
            item_of(item, f"{path}input[{index}].", f"{fallback_id}_{index}")
            for index, item in enumerate(written)
            if isinstance(item, dict) and item.get("type") != "item_reference"
        )
    spoken = None
    for key in ("output_modalities", "modalities"):
        if settings.get(key) is not None:
            spoken = speaks(settings, key, path)
    tools = None
    if settings.get("tools") is not None:
        tools = tools_of(list_at(settings, "tools", path, MAX_TOOLS), f"{path}tools")
    return ResponseRequested(items, spoken, tools, _metadata(settings, path))


def _metadata(settings: Json, path: str) -> tuple[tuple[str, str], ...]:
    metadata = object_at(settings, "metadata", path) or {}
    if len(metadata) > MAX_METADATA:
        message = f"{path}metadata has more than {MAX_METADATA} entries."
        raise Refused("object_above_max_properties", message, f"{path}metadata")
    names = [key[:MAX_ID_CHARS] for key in metadata]
    return tuple((name, string_at(metadata, name, f"{path}metadata.", limit=MAX_METADATA_CHARS)) for name in names)


def _response_cancel(document: Json, *_: object) -> ClientEvent:
    return ResponseCancelled(optional_string_at(document, "response_id", ""))


_READERS: dict[str, Callable[[Json, SessionConfig, str], ClientEvent]] = {
    "session.update": _session_update,
    "transcription_session.update": _session_update,
    "input_audio_buffer.append": _append,
    "input_audio_buffer.commit": _commit,
    "input_audio_buffer.clear": _clear,
    "conversation.item.create": _item_create,
    "conversation.item.retrieve": _item_retrieve,
    "conversation.item.truncate": _item_truncate,
    "conversation.item.delete": _item_delete,
    "response.create": _response_create,
    "response.cancel": _response_cancel,
}
