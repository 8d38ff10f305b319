"""The Wyoming protocol's framing: a line of JSON, then its data as JSON, then a payload of bytes.

Source: the `wyoming` package 1.10.2, `event.py`. The reference reader bounds nothing; this one bounds everything.
"""

from __future__ import annotations

import json
from typing import Any

from entendre.wire.failure import ProtocolFailed
from entendre.wire.lenient import is_too_deep
from entendre.wire.wyoming_events import EVENT_TYPES, Unknown, WyomingEvent
from entendre.wire.wyoming_fields import FieldError, read_event, write_fields

MAX_HEADER_BYTES = 64 * 1024
"""The reference reader's own limit of a line (asyncio's StreamReader); older peers put all data into it."""
MAX_DATA_BYTES = 1024 * 1024
"""The largest known data is the `info` of a voice server that lists some hundred voices: about 200 kB."""
MAX_PAYLOAD_BYTES = 2 * 1024 * 1024
"""A client may send an utterance as one chunk: this is a minute at 16 kHz, mono, 16 bit."""

_NEWLINE = b"\n"


class WyomingCodec:
    """One direction of a connection: bytes in, events out. Never raises on a peer's bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched_bytes = 0
        self._header: dict[str, Any] | None = None
        self._data_bytes = 0
        self._payload_bytes = 0
        self._failed = False

    @property
    def failed(self) -> bool:
        """Whether the peer broke the protocol; nothing is read after that."""
        return self._failed

    def receive(self, data: bytes) -> list[WyomingEvent | ProtocolFailed]:
        """The events that these bytes complete; a `ProtocolFailed` is always the last."""
        events: list[WyomingEvent | ProtocolFailed] = []
        if self._failed:
            return events
        self._buffer += data
        try:
            while (event := self._next()) is not None:
                events.append(event)
        except FieldError as error:
            events.append(self._fail(error.code, str(error)))
        return events

    def receive_eof(self) -> list[ProtocolFailed]:
        """The peer will send no more: a failure if that was in the middle of an event."""
        if self._failed or (self._header is None and not self._buffer):
            return []
        return [self._fail("truncated", "the stream ended inside an event")]

    def _next(self) -> WyomingEvent | None:
        if self._header is None and not self._read_header():
            return None
        assert self._header is not None
        end_bytes = self._data_bytes + self._payload_bytes
        if len(self._buffer) < end_bytes:
            return None
        header, self._header = self._header, None
        data = _object(header.get("data") or {}, "data")
        if self._data_bytes:
            data |= _object(_parse(bytes(self._buffer[: self._data_bytes])), "data")
        payload = bytes(self._buffer[self._data_bytes : end_bytes])
        del self._buffer[:end_bytes]
        return read_event(header["type"], data, payload)

    def _read_header(self) -> bool:
        end = self._buffer.find(_NEWLINE, self._searched_bytes)
        if max(end, len(self._buffer) if end < 0 else 0) > MAX_HEADER_BYTES:
            raise FieldError("header_too_long", f"a header line is longer than {MAX_HEADER_BYTES} bytes")
        if end < 0:
            self._searched_bytes = len(self._buffer)
            return False
        header = _object(_parse(bytes(self._buffer[:end])), "header")
        del self._buffer[: end + 1]
        self._searched_bytes = 0
        if not isinstance(header.get("type"), str):
            raise FieldError("bad_header", "a header has no type")
        self._data_bytes = _length(header, "data_length", MAX_DATA_BYTES)
        self._payload_bytes = _length(header, "payload_length", MAX_PAYLOAD_BYTES)
        self._header = header
        return True

    def _fail(self, code: str, message: str) -> ProtocolFailed:
        self._failed = True
        self._buffer = bytearray()
        self._header = None
        return ProtocolFailed(code, message)


def encode(event: WyomingEvent) -> bytes:
    """An event as the bytes that the reference reader reads."""
    if isinstance(event, Unknown):
        data, payload = dict(event.data), event.payload
    else:
        data, payload = write_fields(event)
    header: dict[str, Any] = {"type": event.type}
    body = json.dumps(data).encode() if data else b""
    if body:
        header["data_length"] = len(body)
    if payload:
        header["payload_length"] = len(payload)
    return json.dumps(header).encode() + _NEWLINE + body + payload


def _parse(data: bytes) -> Any:
    try:
        text = data.decode()
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise FieldError("bad_json", "a header or its data is not JSON") from None
    if is_too_deep(text, value):
        raise FieldError("bad_json", "a header or its data is nested too deeply")
    return value


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FieldError("bad_json", f"the {what} is not a JSON object")
    return value


def _length(header: dict[str, Any], name: str, limit_bytes: int) -> int:
    value = header.get(name)
    if value is None:
        return 0
    if type(value) is not int or value < 0:
        raise FieldError("bad_length", f"{name} is not a length")
    if value > limit_bytes:
        raise FieldError("length_too_large", f"{name} is more than {limit_bytes} bytes")
    return value


__all__ = [
    "EVENT_TYPES",
    "MAX_DATA_BYTES",
    "MAX_HEADER_BYTES",
    "MAX_PAYLOAD_BYTES",
    "WyomingCodec",
    "WyomingEvent",
    "encode",
]
