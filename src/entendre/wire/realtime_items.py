"""Conversation items and responses of the OpenAI Realtime protocol."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

from entendre.core.audio import AudioFormat
from entendre.wire.realtime_checks import (
    MAX_NAME_CHARS,
    Json,
    Refused,
    choice_at,
    list_at,
    optional_string_at,
    string_at,
    wrong_type,
)
from entendre.wire.realtime_session import Dialect, format_json

MAX_TEXT_CHARS = 8_192
"""Longest text of one content part: several minutes of speech."""
MAX_PARTS = 16
MAX_OUTPUT_CHARS = 65_536
"""Longest result of a tool."""
_BETA_PARTS = {"output_text": "text", "output_audio": "audio"}
_PART_KINDS = ("input_text", "input_audio", "output_text", "output_audio", "text", "audio")


@dataclass(frozen=True, slots=True)
class Part:
    """One content part. `audio` is in the session's input format and is never sent back."""

    kind: str
    text: str = ""
    transcript: str | None = None
    audio: bytes = b""


@dataclass(frozen=True, slots=True)
class Item:
    """A message, a function call or its output."""

    id: str
    kind: str = "message"
    role: str = "user"
    status: str = "completed"
    parts: tuple[Part, ...] = ()
    name: str = ""
    call: str = ""
    arguments: str = ""
    output: str = ""

    @property
    def text(self) -> str:
        """All written or transcribed words of a message."""
        return " ".join(words for part in self.parts if (words := part.text or part.transcript or ""))

    @property
    def audio(self) -> bytes:
        """All audio that came with a message."""
        return b"".join(part.audio for part in self.parts)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a response took. Audio in OpenAI's unit, a token per 100 ms heard and per 50 ms said; nothing is billed."""

    audio_in: int = 0
    text_in: int = 0
    audio_out: int = 0
    text_out: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """A response and how it stands. `reason` or `code` and `message` say why it did not complete."""

    id: str
    conversation: str
    status: str = "in_progress"
    reason: str | None = None
    code: str | None = None
    message: str | None = None
    output: tuple[Item, ...] = ()
    speaks: bool = True
    voice: str = ""
    output_format: AudioFormat = field(default_factory=AudioFormat)
    metadata: tuple[tuple[str, str], ...] = ()
    usage: Usage | None = None


def item_of(document: Json, path: str, fallback_id: str) -> Item:
    """An item that a client wrote. Raises: Refused."""
    kind = choice_at(document, "type", path, ("message", "function_call", "function_call_output"), "message")
    item = optional_string_at(document, "id", path) or fallback_id
    if kind == "function_call_output":
        call = string_at(document, "call_id", path)
        return Item(item, kind, role="", call=call, output=string_at(document, "output", path, limit=MAX_OUTPUT_CHARS))
    if kind == "function_call":
        name = string_at(document, "name", path, limit=MAX_NAME_CHARS)
        arguments = string_at(document, "arguments", path, limit=MAX_OUTPUT_CHARS)
        call = optional_string_at(document, "call_id", path) or fallback_id
        return Item(item, kind, role="", name=name, call=call, arguments=arguments)
    role = choice_at(document, "role", path, ("user", "assistant", "system"))
    contents = list_at(document, "content", path, MAX_PARTS)
    parts = tuple(_part_of(content, f"{path}content[{index}]") for index, content in enumerate(contents))
    return Item(item, kind, role, parts=parts)


def _part_of(document: Any, path: str) -> Part:
    if not isinstance(document, dict):
        raise wrong_type(path, "an object")
    kind = choice_at(document, "type", f"{path}.", _PART_KINDS)
    transcript = optional_string_at(document, "transcript", f"{path}.", limit=MAX_TEXT_CHARS)
    if kind != "input_audio":
        text = string_at(document, "text", f"{path}.", limit=MAX_TEXT_CHARS, default=transcript or "")
        return Part(kind, text=text)
    return Part(kind, transcript=transcript, audio=audio_at(document, f"{path}."))


def audio_at(document: Json, path: str) -> bytes:
    """The base64 audio of a document. Its size is bounded by the size of the event. Raises: Refused."""
    text = document.get("audio")
    if not isinstance(text, str):
        raise Refused("missing_required_parameter", f"Missing required parameter: '{path}audio'.", f"{path}audio")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("invalid_base64", f"{path}audio is not valid base64.", f"{path}audio") from None


def item_json(item: Item, dialect: Dialect) -> Json:
    """An item as this dialect writes it, without audio."""
    document: Json = {"id": item.id, "object": "realtime.item", "type": item.kind, "status": item.status}
    if item.kind == "function_call":
        return document | {"name": item.name, "call_id": item.call, "arguments": item.arguments}
    if item.kind == "function_call_output":
        return document | {"call_id": item.call, "output": item.output}
    return document | {"role": item.role, "content": [_part_json(part, dialect) for part in item.parts]}


def _part_json(part: Part, dialect: Dialect) -> Json:
    kind = _BETA_PARTS.get(part.kind, part.kind) if dialect is Dialect.BETA else part.kind
    if part.kind in ("input_audio", "output_audio", "audio"):
        return {"type": kind, "transcript": part.transcript}
    return {"type": kind, "text": part.text}


def event_part_json(part: Part) -> Json:
    """A part as `response.content_part.*` writes it: `text` or `audio` in both dialects."""
    kind = _BETA_PARTS.get(part.kind, part.kind)
    return {"type": kind, "transcript": part.transcript or ""} if kind == "audio" else {"type": kind, "text": part.text}


def response_json(response: Response, dialect: Dialect) -> Json:
    """A response object as this dialect writes it."""
    document: Json = {"id": response.id, "object": "realtime.response", "status": response.status}
    document["status_details"] = _status_details(response)
    document["output"] = [item_json(item, dialect) for item in response.output]
    document["conversation_id"] = response.conversation
    document["metadata"] = dict(response.metadata) or None
    document["max_output_tokens"] = "inf"
    document["usage"] = _usage_json(response.usage) if response.usage else None
    if dialect is Dialect.BETA:
        document["modalities"] = ["text", "audio"] if response.speaks else ["text"]
        document["voice"] = response.voice
        document["output_audio_format"] = str(response.output_format.encoding)
        return document
    document["output_modalities"] = ["audio"] if response.speaks else ["text"]
    document["audio"] = {"output": {"format": format_json(response.output_format), "voice": response.voice}}
    return document


def _status_details(response: Response) -> Json | None:
    if response.status in ("in_progress", "completed"):
        return None
    document: Json = {"type": response.status}
    if response.reason:
        document["reason"] = response.reason
    if response.code:
        document["error"] = {"type": "server_error", "code": response.code, "message": response.message}
    return document


def _usage_json(usage: Usage) -> Json:
    heard, said = usage.audio_in + usage.text_in, usage.audio_out + usage.text_out
    return {
        "total_tokens": heard + said,
        "input_tokens": heard,
        "output_tokens": said,
        "input_token_details": {
            "text_tokens": usage.text_in,
            "audio_tokens": usage.audio_in,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": usage.text_out, "audio_tokens": usage.audio_out},
    }
