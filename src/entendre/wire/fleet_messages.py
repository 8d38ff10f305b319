"""What devices and the cloud say to each other about twins, commands and telemetry, on whatever connection.

Each message is a JSON object of a kind; `docs/fleet-devices.md` has them all. Never raises on a peer's bytes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from entendre.core.plain import is_plain
from entendre.wire.failure import ProtocolFailed
from entendre.wire.lenient import is_too_deep

PREFIX = "entendre/v1"
MAX_MESSAGE_BYTES = 300 * 1024
"""Of one message: a telemetry message's 256 KB and what is around them."""
MAX_MESSAGES = 500
"""Of telemetry in one message."""
MAX_REQUEST_CHARS = 64
MAX_ID_CHARS = 64
MAX_LABEL_CHARS = 100
MAX_DETAIL_CHARS = 500
MAX_STATUS = 599
STATUS_OK = 200

_ANSWER = re.compile(r"commands/([0-9A-Za-z-]{1,64})/answer")


@dataclass(frozen=True, slots=True)
class TwinAsked:
    """A device asks for its twin."""

    request: str | None = None


@dataclass(frozen=True, slots=True)
class TwinReported:
    """A device says what it is, as a merge patch of the reported section."""

    patch: dict[str, Any]
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One message of telemetry. `id` makes it the same message when it is sent again."""

    body: Any
    id: str | None = None
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class TelemetrySent:
    """Messages of telemetry."""

    messages: tuple[Measured, ...]
    request: str | None = None


@dataclass(frozen=True, slots=True)
class CommandsAsked:
    """A device wants what waits for it, also what it was handed already."""

    request: str | None = None


@dataclass(frozen=True, slots=True)
class CommandAnswered:
    """A device did what a command asks for, or not: `status` as of HTTP."""

    command: str
    status: int
    result: Any = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class FirmwareSaid:
    """A device says what it runs."""

    version: str
    request: str | None = None


@dataclass(frozen=True, slots=True)
class ReleaseAsked:
    """A device says how its update goes, and asks what to install."""

    running: str = ""
    rollout: str = ""
    attempt: int = 0
    said: str | None = None
    detail: str | None = None
    request: str | None = None


DeviceRequest = TwinAsked | TwinReported | TelemetrySent | CommandsAsked | CommandAnswered | FirmwareSaid | ReleaseAsked


def kind_of_topic(device: str, topic: str) -> str | None:
    """The kind of a message by the topic that a device published to; None for a topic that is not its own."""
    prefix = f"{PREFIX}/{device}/"
    return topic[len(prefix) :] if topic.startswith(prefix) else None


def topic_of(device: str, kind: str) -> str:
    """The topic of a kind of message."""
    return f"{PREFIX}/{device}/{kind}"


def read_request(kind: str, payload: bytes | str) -> DeviceRequest | ProtocolFailed:
    """A device's message. An empty payload is an empty object."""
    document = _object(payload)
    return document if isinstance(document, ProtocolFailed) else read_document(kind, document)


def read_document(kind: str, document: dict[str, Any]) -> DeviceRequest | ProtocolFailed:
    """A device's message that was decoded before."""
    request = document.get("request")
    if request is not None and not _is_id(request, MAX_REQUEST_CHARS):
        return ProtocolFailed("bad_request_id", "request is a text of 1 to 64 printable characters")
    answered = _ANSWER.fullmatch(kind)
    if answered is not None:
        return _answer(answered[1], document, request)
    match kind:
        case "twin/get":
            return TwinAsked(request)
        case "twin/reported":
            patch = document.get("patch")
            return TwinReported(patch, request) if isinstance(patch, dict) else _missing("patch", "an object")
        case "telemetry":
            return _telemetry(document, request)
        case "commands/get":
            return CommandsAsked(request)
        case "firmware":
            version = document.get("version")
            if not isinstance(version, str) or not _is_id(version, MAX_LABEL_CHARS):
                return _missing("version", f"a text of 1 to {MAX_LABEL_CHARS} printable characters")
            return FirmwareSaid(version, request)
        case "release":
            return _release(document, request)
        case _:
            return ProtocolFailed("unknown_topic", "there is no such topic")


def read_within(kind: str, text: str, document: dict[str, Any]) -> DeviceRequest | ProtocolFailed:
    """A device's message that was decoded from an event of another protocol; the bounds are the same."""
    if len(text.encode("utf-8", "replace")) > MAX_MESSAGE_BYTES:
        return ProtocolFailed("message_too_long", f"a message is longer than {MAX_MESSAGE_BYTES} bytes")
    return _unfit(text, document) or read_document(kind, document)


def compact(document: Any) -> bytes:
    """A message of ours."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _answer(command: str, document: dict[str, Any], request: str | None) -> DeviceRequest | ProtocolFailed:
    status = document.get("status", STATUS_OK)
    if type(status) is not int or not 100 <= status <= MAX_STATUS:
        return _missing("status", "a status as of HTTP, 100 to 599")
    return CommandAnswered(command, status, document.get("result"), request)


def _telemetry(document: dict[str, Any], request: str | None) -> DeviceRequest | ProtocolFailed:
    given = document.get("messages", [document])
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_MESSAGES:
        return _missing("messages", f"a list of 1 to {MAX_MESSAGES} messages")
    messages: list[Measured] = []
    for each in given:
        if not isinstance(each, dict) or "body" not in each:
            return _missing("body", "there in every message")
        id, at_s = each.get("id"), each.get("at_s")
        if id is not None and not _is_id(id, MAX_ID_CHARS):
            return _missing("id", f"a text of 1 to {MAX_ID_CHARS} printable characters")
        if at_s is not None and (isinstance(at_s, bool) or not isinstance(at_s, int | float) or not 0 < at_s < 1e11):
            return _missing("at_s", "a Unix time in seconds")
        messages.append(Measured(each["body"], id, None if at_s is None else float(at_s)))
    return TelemetrySent(tuple(messages), request)


def _release(document: dict[str, Any], request: str | None) -> DeviceRequest | ProtocolFailed:
    running, rollout = document.get("running", ""), document.get("rollout", "")
    attempt, said, detail = document.get("attempt", 0), document.get("said"), document.get("detail")
    if running != "" and not _is_id(running, MAX_LABEL_CHARS):
        return _missing("running", "a version")
    if rollout != "" and not _is_id(rollout, MAX_ID_CHARS):
        return _missing("rollout", "an id")
    if type(attempt) is not int or not 0 <= attempt < 1 << 31:
        return _missing("attempt", "a whole number")
    if said is not None and not _is_id(said, MAX_ID_CHARS):
        return _missing("said", "a text")
    if detail is not None and (not isinstance(detail, str) or len(detail) > MAX_DETAIL_CHARS):
        return _missing("detail", f"a text of at most {MAX_DETAIL_CHARS} characters")
    return ReleaseAsked(running, rollout, attempt, said, detail, request)


def _object(payload: bytes | str) -> dict[str, Any] | ProtocolFailed:
    if len(payload) > MAX_MESSAGE_BYTES:
        return ProtocolFailed("message_too_long", f"a message is longer than {MAX_MESSAGE_BYTES} bytes")
    try:
        text = payload.decode("utf-8") if isinstance(payload, bytes) else payload
        document = json.loads(text or "{}", parse_constant=_refused)
    except (ValueError, RecursionError):
        return ProtocolFailed("bad_json", "a message is no JSON")
    if not isinstance(document, dict) or is_too_deep(text, document):
        return ProtocolFailed("bad_json", "a message is no JSON object, or too deep")
    return _unfit(text, document) or document


def _unfit(text: str, document: dict[str, Any]) -> ProtocolFailed | None:
    if "\\u" in text and not is_plain(document):
        return ProtocolFailed("bad_text", "a text has NUL or half a surrogate pair in it")
    return None


def _refused(_: str) -> None:
    raise ValueError("NaN and infinities are no JSON")


def _is_id(value: Any, limit_chars: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= limit_chars and value.isprintable()


def _missing(name: str, what: str) -> ProtocolFailed:
    return ProtocolFailed("bad_message", f"{name} is {what}")
