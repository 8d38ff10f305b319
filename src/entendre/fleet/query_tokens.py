"""Words, signs and values of a query, each with the place where it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from entendre.core.errors import InvalidInputError

MAX_QUERY_CHARS = 4_096
MAX_INTEGER_DIGITS = 15

_SPACE = re.compile(r"\s+")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?(?![\w.])")
_WORD = re.compile(r'(?:[^\W\d][\w-]*)(?:\.(?:[\w-]+|"[^".$\s]+"))*')
_SIGN = re.compile(r"!=|<>|[=(),]")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query; `at` counts characters from 0. Only a value has a `value`."""

    kind: Literal["word", "sign", "value", "end"]
    text: str
    at: int
    value: str | bool | int | float | None = None


def tokens_of(query: str) -> tuple[Token, ...]:
    """The tokens of a query, the last of which is its end. Raises: InvalidInputError."""
    if len(query) > MAX_QUERY_CHARS:
        raise InvalidInputError(f"The query is longer than {MAX_QUERY_CHARS} characters.")
    found, at = [], 0
    while at < len(query):
        if space := _SPACE.match(query, at):
            at = space.end()
            continue
        token = _token(query, at)
        found.append(token)
        at += len(token.text)
    return (*(_unquoted(each) for each in found), Token("end", "", len(query)))


def _token(query: str, at: int) -> Token:
    if match := _TEXT.match(query, at):
        text = match[0][1:-1].replace("''", "'")
        if "\x00" in text or any("\ud800" <= each <= "\udfff" for each in text):
            raise InvalidInputError(f"The query has a text that is not valid, at character {at + 1}.")
        return Token("value", match[0], at, text)
    if match := _NUMBER.match(query, at):
        return Token("value", match[0], at, _number(match[0], at))
    if match := _WORD.match(query, at):
        word = match[0].lower()
        return Token("value" if word in ("true", "false") else "word", match[0], at, _TRUTH.get(word))
    if match := _SIGN.match(query, at):
        return Token("sign", match[0], at)
    if query[at] == "'":
        raise InvalidInputError(f"The query has a quote that does not end, at character {at + 1}.")
    raise InvalidInputError(f"The query has {query[at]!r}, which it can't have there, at character {at + 1}.")


_TRUTH = {"true": True, "false": False}


def _number(text: str, at: int) -> int | float:
    if len(text.lstrip("-")) > 2 * MAX_INTEGER_DIGITS:
        raise InvalidInputError(f"The query has a number that is too long, at character {at + 1}.")
    if text.lstrip("-").isdecimal():
        if len(text.lstrip("-0")) > MAX_INTEGER_DIGITS:
            raise InvalidInputError(f"The query has a number that is too large, at character {at + 1}.")
        return int(text)
    return float(text)


def _unquoted(token: Token) -> Token:
    """A path without the quotes around its keys: `tags."a/b"` is `tags.a/b`."""
    return Token("word", token.text.replace('"', ""), token.at) if token.kind == "word" else token
