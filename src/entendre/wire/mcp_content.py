"""What a tool call gave: text, pictures, or why it failed."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from entendre.wire.lenient import Json, flag_of, object_of, objects_of, parse_object, text_of

MAX_TEXT_CHARS = 64 * 1024
MAX_PARTS = 16
MAX_IMAGE_CHARS = 128 * 1024
"""In base64; a device's message is no longer than 64 kB."""

_MAX_MIME_CHARS = 64


@dataclass(frozen=True, slots=True)
class ToolImage:
    """A picture that a tool returned."""

    mime: str
    data: bytes


@dataclass(frozen=True, slots=True)
class CallResult:
    """A call's outcome.

    `code` is empty where it went well, else `timeout`, `unavailable`, `not_allowed`, `overloaded` or `tool_error`.
    """

    text: str = ""
    images: tuple[ToolImage, ...] = ()
    code: str = ""

    @property
    def ok(self) -> bool:
        """Whether the tool did what it was asked."""
        return not self.code


def failed_result(code: str) -> CallResult:
    """A call that was not answered."""
    return CallResult(code=code)


def read_result(payload: Json) -> CallResult:
    """The outcome in a JSON-RPC answer; text may itself be JSON."""
    if "result" not in payload:
        error = object_of(payload, "error")
        return CallResult(text_of(error, "message", MAX_TEXT_CHARS), code="tool_error")
    result = object_of(payload, "result")
    parts = objects_of(result, "content", MAX_PARTS)
    texts = [text for part in parts if part.get("type") == "text" if (text := text_of(part, "text", MAX_TEXT_CHARS))]
    images = [image for part in parts if part.get("type") == "image" if (image := _image(part))]
    failed = flag_of(result, "isError")
    return CallResult("\n".join(texts)[:MAX_TEXT_CHARS], tuple(images), "tool_error" if failed else "")


def _image(part: Json) -> ToolImage | None:
    """A picture as the protocol says, or as the firmware does: all of it as JSON inside a string."""
    inside = part.get("image")
    if isinstance(inside, str):
        part = parse_object(inside[: 2 * MAX_IMAGE_CHARS]) or {}
    encoded = text_of(part, "data", MAX_IMAGE_CHARS)
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    return ToolImage(text_of(part, "mimeType", _MAX_MIME_CHARS), data) if data else None
