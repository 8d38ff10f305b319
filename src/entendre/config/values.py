"""Values as they are written in a file, a variable or a flag, made into those of a setting's type."""

from __future__ import annotations

from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from entendre.core.errors import ConfigurationError

_URLS_WITH_PASSWORDS = frozenset({"home.mqtt_url", "server.database"})
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def converted(key: str, value: Any, kind: Any) -> Any:
    """The value of a setting of that type. Raises: ConfigurationError."""
    optional, inner = without_none(kind)
    if optional and value in ("", "none"):
        return None
    try:
        return CONVERTERS[get_origin(inner) or inner](value)
    except (ValueError, TypeError) as error:
        shown = "the given value" if key.endswith(("_key", "_keys")) or key in _URLS_WITH_PASSWORDS else repr(value)
        raise ConfigurationError(f"{key} must be {kind_name(kind)}, not {shown}.") from error


def without_none(kind: Any) -> tuple[bool, Any]:
    """Whether None is allowed, and the type without it."""
    if get_origin(kind) in (Union, UnionType):
        inner = [each for each in get_args(kind) if each is not NoneType]
        return True, inner[0]
    return False, kind


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError("no truth value")


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError("no whole number")
    return int(value)


def _to_float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("no number")
    return float(value)


def _to_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def _to_path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("no path")
    return Path(value).expanduser()


def _to_texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise ValueError("no list of texts")
    return tuple(value)


CONVERTERS: dict[Any, Any] = {
    bool: _to_bool,
    int: _to_int,
    float: _to_float,
    str: _to_text,
    Path: _to_path,
    tuple: _to_texts,
}

_KIND_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    tuple: "a list of texts",
}


def kind_name(kind: Any) -> str:
    """A type in words."""
    inner = without_none(kind)[1]
    return _KIND_NAMES[get_origin(inner) or inner]
