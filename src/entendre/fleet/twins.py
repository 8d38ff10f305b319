"""The twin of a device: three documents of JSON, each with a version of its own that only rises.

`tags` are the maker's and the device never sees them; `desired` is what the device should be, `reported` what it says
that it is. A change is a JSON merge patch (RFC 7396) or a whole new document; whoever follows one applies the same
changes in the same order. Limits are those that device SDKs of large hubs are written for.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from entendre.core.errors import InvalidInputError, TooLargeError

Section = Literal["tags", "desired", "reported"]
Document = dict[str, Any]

KIB = 1024
SECTION_BYTES: dict[Section, int] = {"tags": 8 * KIB, "desired": 32 * KIB, "reported": 32 * KIB}
"""Largest section as compact JSON in UTF-8; no patch may be larger than what it patches may be."""
MAX_TEXT_BYTES = 4 * KIB
MAX_KEY_BYTES = 1 * KIB
MAX_DEPTH = 10
"""Objects and arrays inside one another."""
MAX_INTEGER = 2**52
FIRST_VERSION = 1
MAX_SHOWN_PATH_CHARS = 200
INDEXED_BYTES = 256
"""Longest path and value kept as they are in the index of tags; longer ones are found by their hash."""

_FORBIDDEN_IN_KEYS = frozenset(".$ ")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Versions(NamedTuple):
    """The versions of a twin's sections."""

    tags: int = FIRST_VERSION
    desired: int = FIRST_VERSION
    reported: int = FIRST_VERSION

    @property
    def etag(self) -> str:
        """What `If-Match` compares: it changes with every change of any section."""
        return f"{self.tags}.{self.desired}.{self.reported}"

    def raised(self, section: Section) -> Versions:
        """The versions after one accepted change of a section."""
        if section == "reported":
            return Versions(self.tags, self.desired, self.reported + 1)
        if section == "desired":
            return Versions(self.tags, self.desired + 1, self.reported)
        return Versions(self.tags + 1, self.desired, self.reported)


def merged(target: Any, patch: Any) -> Any:
    """A document after a merge patch, without changing either. Source: RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result: Document = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            result[key] = merged(result.get(key), value)
        else:
            result[key] = value
    return result


def checked_patch(section: Section, patch: object) -> Document:
    """A patch, or a whole document, as it may be applied. Raises: InvalidInputError, TooLargeError."""
    if not isinstance(patch, dict):
        raise InvalidInputError(f"{section} must be an object.")
    _check_object(patch, section, 1)
    _check_size(section, text_of(patch))
    return patch


def changed(section: Section, document: Document, patch: Document, *, replace: bool = False) -> tuple[Document, str]:
    """A section after a checked patch, and its JSON text; `replace` starts from nothing. Raises: TooLargeError."""
    after: Document = merged({} if replace else document, patch)
    text = text_of(after)
    _check_size(section, text)
    return after, text


def text_of(document: Document) -> str:
    """A document as compact JSON. Raises: InvalidInputError for text that is not Unicode."""
    try:
        return _encode(document).decode()
    except UnicodeEncodeError as error:
        raise InvalidInputError("The text is not valid Unicode.") from error


def document_of(text: str) -> Document:
    """The document that `text_of` made a text of."""
    document: Document = _decode(text)
    return document


# -- the index of tags -----------------------------------------------------------------------------------------------


def leaves_of(tags: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    """The scalars of tags by path, as `indexed_path` and `indexed_value` make them; an array stands for each of its."""
    return frozenset(_leaves(tags, ""))


def indexed_path(path: str) -> str:
    """A path as the index keeps it: keys with dots between them, or a hash of a long one."""
    return _short(path)


@lru_cache(maxsize=4_096, typed=True)
def indexed_value(value: str | bool | int | float) -> str:
    """A scalar as the index keeps it: JSON, where 1.0 is 1; or a hash of a long one."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_INTEGER:
        value = int(value)
    return _short(_encode(value).decode())


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
        return
    for scalar in value if isinstance(value, list) else (value,):
        if scalar is not None and not isinstance(scalar, Mapping | list):
            yield indexed_path(path), indexed_value(scalar)


def _short(text: str) -> str:
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= INDEXED_BYTES else f"#{hashlib.sha256(raw).hexdigest()}"


# -- limits ----------------------------------------------------------------------------------------------------------


def _check_size(section: Section, text: str) -> None:
    limit = SECTION_BYTES[section]
    if len(text) > limit // 4 and len(text.encode()) > limit:  # no character has more than four bytes
        raise TooLargeError(f"{section} may have {limit // KIB} KB.")


def _check_object(value: Document, path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"{_shown(path)} is nested too deep; {MAX_DEPTH} levels are allowed.")
    for key, inner in value.items():
        if not isinstance(key, str):
            raise InvalidInputError(f"{_shown(path)} has a key that is no text.")
        _check_key(key, path)
        if inner is not None:
            _check_value(inner, f"{path}.{key}", depth)


def _check_value(value: Any, path: str, depth: int) -> None:
    match value:
        case bool() | None:
            return
        case str():
            if len(value) > MAX_TEXT_BYTES // 4 and len(value.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
                raise InvalidInputError(f"{_shown(path)} is too long; a text may have {MAX_TEXT_BYTES // KIB} KB.")
        case int():
            if not -MAX_INTEGER <= value <= MAX_INTEGER:
                raise InvalidInputError(f"{_shown(path)} is out of range; whole numbers go to 2^52.")
        case float():
            if not math.isfinite(value):
                raise InvalidInputError(f"{_shown(path)} is not a finite number.")
        case dict():
            _check_object(value, path, depth + 1)
        case list():
            _check_list(value, path, depth + 1)
        case _:
            raise InvalidInputError(f"{_shown(path)} is no value of JSON.")


def _check_list(value: list[Any], path: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidInputError(f"{_shown(path)} is nested too deep; {MAX_DEPTH} levels are allowed.")
    for index, inner in enumerate(value):
        _check_value(inner, f"{path}[{index}]", depth)


def _check_key(key: str, path: str) -> None:
    if not key or len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES:
        raise InvalidInputError(f"A key of {_shown(path)} is empty or longer than {MAX_KEY_BYTES // KIB} KB.")
    if not _FORBIDDEN_IN_KEYS.isdisjoint(key) or not key.isascii() or not key.isprintable():
        for character in key:
            if character in _FORBIDDEN_IN_KEYS or character < " " or "\x7f" <= character <= "\x9f":
                named = f"{_shown(path)} has a key with {character!r}"
                raise InvalidInputError(f"{named}; control characters, '.', '$' and spaces are not allowed.")


def _shown(path: str) -> str:
    shown = path.encode("utf-8", "replace").decode()
    return shown if len(shown) <= MAX_SHOWN_PATH_CHARS else f"{shown[:MAX_SHOWN_PATH_CHARS]}…"


# -- the device's side -----------------------------------------------------------------------------------------------


class DesiredFollower:
    """What a device does to have the newest desired section: subscribe, get, then follow.

    Notifications may be lost, doubled or late. `needs_get` says that only a get can tell what is true; ask, hand the
    answer to `got`, and look at `needs_get` again.
    """

    def __init__(self, document: Document | None = None, version: int = 0) -> None:
        """`version` 0: nothing is known yet. A device that kept its document over a restart starts with it."""
        self.document: Document = dict(document or {})
        self.version = version
        self.needs_get = True
        self._heard = version

    def connected(self) -> None:
        """A new connection has subscribed: what came meanwhile was not heard."""
        self.needs_get = True

    def got(self, document: Document, version: int) -> bool:
        """The answer to a get; whether it was news. One older than what is known is dropped."""
        news = version > self.version
        if news:
            self.document, self.version = document, version
        self.needs_get = self._heard > self.version
        return news

    def notified(self, patch: Document, version: int, *, replace: bool = False) -> bool:
        """A notification of one change; whether it was applied."""
        self._heard = max(self._heard, version)
        if version <= self.version:
            return False
        if self.needs_get or version != self.version + 1:
            self.needs_get = True
            return False
        self.document = merged({} if replace else self.document, patch)
        self.version = version
        return True
