"""Between JSON objects and the event dataclasses: a reader for each type that a field may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, cast

from entendre.wire.wyoming_events import EVENT_TYPES, Entity, SynthesizeVoice, TypedEvent, Unknown, WyomingEvent
from entendre.wire.wyoming_info import Attribution, Model, Program, Satellite, SoundFormat, SoundProgram

MAX_ITEMS = 4096
"""Of any list in an event: a voice server lists some hundred voices, a home some hundred names."""

_PAYLOAD_FIELD = "audio"


class FieldError(Exception):
    """The peer's event can't be read; `code` is that of the failure that ends the connection."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_event(type_name: str, data: dict[str, Any], payload: bytes) -> WyomingEvent:
    """The typed event, or `Unknown`. Raises: FieldError."""
    kind = EVENT_TYPES.get(type_name)
    if kind is None:
        return Unknown(type_name, data, payload)
    values = dict(data)
    values.pop(_PAYLOAD_FIELD, None)
    if payload:
        values[_PAYLOAD_FIELD] = payload
    return cast(TypedEvent, _build(kind, values))


def write_fields(event: TypedEvent) -> tuple[dict[str, Any], bytes]:
    """An event's data and its payload."""
    data = _plain(event)
    return data, data.pop(_PAYLOAD_FIELD, b"")


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        pairs = ((item.name, _plain(getattr(value, item.name))) for item in fields(value))
        return {name: content for name, content in pairs if content is not None}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _build(kind: type[Any], data: dict[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for item in fields(kind):
        value = data.get(item.name)
        if value is not None:
            values[item.name] = _READERS[str(item.type)](value, item.name)
        elif _required(item):
            raise FieldError("missing_field", f"{item.name} is missing")
    try:
        return kind(**values)
    except ValueError as error:
        raise FieldError("bad_field", str(error)) from None


def _required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _bad(name: str) -> FieldError:
    return FieldError("bad_field", f"{name} has the wrong type")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _bad(name)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise FieldError("bad_field", f"{name} is not valid Unicode") from None
    return value


def _whole(value: Any, name: str) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise _bad(name)
    return value


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise _bad(name)
    return value


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(name)
    return value


def _as_is(value: Any, name: str) -> Any:
    return value


def _list_of(read: Callable[[Any, str], Any]) -> Callable[[Any, str], tuple[Any, ...]]:
    def read_list(value: Any, name: str) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise _bad(name)
        return tuple(read(item, name) for item in value)

    return read_list


def _nested(kind: type[Any]) -> Callable[[Any, str], Any]:
    return lambda value, name: _build(kind, _object(value, name))


_SINGLE: dict[str, Callable[[Any, str], Any]] = {
    "str": _text,
    "int": _whole,
    "bool": _flag,
    "bytes": _as_is,
    "Any": _as_is,
    "Mapping[str, Any]": _object,
} | {
    kind.__name__: _nested(kind)
    for kind in (Attribution, Entity, Model, Program, Satellite, SoundFormat, SoundProgram, SynthesizeVoice)
}
_READERS = (
    _SINGLE
    | {f"{name} | None": read for name, read in _SINGLE.items()}
    | {f"tuple[{name}, ...]": _list_of(read) for name, read in _SINGLE.items()}
)
