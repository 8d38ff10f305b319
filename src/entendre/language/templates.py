"""hassil's template language, read: `[please] (turn|switch) on <the> {appliance}`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from entendre.core.errors import InvalidInputError

MAX_NESTED = 32
"""Groups within groups."""
_TOKEN = re.compile(r"[()\[\]|;]|<[^<>]+>|\{[^{}]+\}|(?:\\.|[^\\()\[\]{}<>|;])+", re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_RANGE = re.compile(r"(\d+)\.\.(\d+)(?:,\d+)?")
_TEXTS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Text:
    """Words; the first and the last may be parts of one unless a space stands there, as `opens` and `closes` say."""

    words: tuple[str, ...]
    opens: bool = False
    closes: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """`<name>`: what a rule says stands here."""

    name: str


@dataclass(frozen=True, slots=True)
class ListSlot:
    """`{list_name:name}`: a value stands here, of a list or, with `bounds`, a whole number."""

    list_name: str
    name: str
    bounds: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """One piece after the other."""

    items: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`(a|b)`, `[a]`: one of these."""

    items: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Permutation:
    """`(a; b)`: all of these in any order."""

    items: tuple[Piece, ...]


Piece = Text | Rule | ListSlot | Sequence | Choice | Permutation
NOTHING = Text(())


def parse_template(text: str) -> Piece:
    """What a template says. Raises: InvalidInputError."""
    stripped = text.strip()
    tokens = _TOKEN.findall(stripped)
    if sum(map(len, tokens)) != len(stripped):
        raise _unreadable(text)
    rest = iter((*tokens, ")"))
    piece = _group(rest, ")", text, 0)
    if next(rest, None) is not None:
        raise _unreadable(text)
    return piece


def _group(tokens: Iterator[str], end: str, text: str, depth: int) -> Piece:
    """What stands before the end of a group, its last token."""
    if depth > MAX_NESTED:
        raise _unreadable(text)
    parts: list[list[Piece]] = [[]]
    between = ""
    for token in tokens:
        if token == end:
            return _joined(parts, between, text)
        if token == "(":
            parts[-1].append(_group(tokens, ")", text, depth + 1))
        elif token == "[":
            parts[-1].append(_optional(_group(tokens, "]", text, depth + 1)))
        elif token in ("|", ";"):
            if between not in ("", token):
                raise _unreadable(text)
            between = token
            parts.append([])
        elif token in (")", "]"):
            break
        else:
            parts[-1].append(_leaf(token))
    raise _unreadable(text)


def _joined(parts: list[list[Piece]], between: str, text: str) -> Piece:
    if between == ";":
        return Permutation(tuple(_sequence(part) for part in parts))
    if between == "|":
        return Choice(tuple(_sequence(part) for part in parts))
    if not parts[0]:
        raise _unreadable(text)
    return _sequence(parts[0])


def _sequence(items: list[Piece]) -> Piece:
    return items[0] if len(items) == 1 else Sequence(tuple(items))


def _optional(piece: Piece) -> Choice:
    return Choice((*piece.items, NOTHING) if isinstance(piece, Choice) else (piece, NOTHING))


@lru_cache(maxsize=_TEXTS_KEPT)
def _leaf(token: str) -> Piece:
    if token[0] == "<":
        return Rule(token[1:-1])
    if token[0] == "{":
        return _list_slot(token[1:-1])
    plain = _ESCAPED.sub(r"\1", token)
    return Text(tuple(plain.split()), plain[0].isspace(), plain[-1].isspace())


def _list_slot(said: str) -> ListSlot:
    list_name, _, name = said.partition(":")
    bounds = _RANGE.fullmatch(list_name) if name else None
    return ListSlot(list_name, name or list_name, (int(bounds[1]), int(bounds[2])) if bounds else None)


def _unreadable(text: str) -> InvalidInputError:
    return InvalidInputError(f"The sentence template {text!r} can't be read.")
