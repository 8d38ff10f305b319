"""A small language that picks devices: `tags.country = 'BR' and firmware != '1.2.0' and not state = 'revoked'`.

Every comparison is true or false, never unknown: a tag that a device does not have is not equal to anything, so `!=` is
true of it. A tag that holds an array is equal to each of its values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Protocol

from entendre.core.errors import InvalidInputError
from entendre.fleet.query_tokens import Token, tokens_of
from entendre.fleet.twins import indexed_path, indexed_value, leaves_of

MAX_DEPTH = 16
MAX_COMPARISONS = 64
MAX_CHOICES = 200
"""Values in the parentheses of one `in`."""

TEXTS = frozenset({"product", "firmware", "kind", "serial", "name", "country", "state", "household", "language", "id"})
FIELDS = TEXTS | {"online"}
MAY_BE_NONE = frozenset({"household", "country", "language"})
TAGS = "tags."

Scalar = str | bool | int | float


@dataclass(frozen=True, slots=True)
class Among:
    """A field, or a tag by `tags.` and its path, is one of these values."""

    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Absent:
    """A field or a tag has no value."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class All:
    """Every one of these; of none of them: true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of these."""

    parts: tuple[Condition, ...]


Condition = Among | Absent | Not | All | Some

EVERY = All(())
"""The condition of an empty query."""


class DeviceFields(Protocol):
    """The fields that queries name, but for tags."""

    @property
    def product(self) -> str:
        """Its id."""
        ...

    @property
    def product_name(self) -> str:
        """What else it goes by; empty for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class DeviceView:
    """What a query sees of a device. `product` is its id and `product_name` what else it goes by."""

    id: str
    product: str
    kind: str
    serial: str
    name: str
    state: str
    firmware: str = ""
    online: bool = False
    household: str | None = None
    country: str | None = None
    language: str | None = None
    product_name: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict)


def parse_query(text: str) -> Condition:
    """The condition that a query means; an empty one is true of every device. Raises: InvalidInputError."""
    tokens = tokens_of(text)
    if tokens[0].kind == "end":
        return EVERY
    return _Parser(tokens).whole()


def matches(condition: Condition, view: DeviceView) -> bool:
    """Whether a device is one of those that a query picks."""
    return holds(condition, view, leaves_of(view.tags))


def holds(condition: Condition, view: DeviceFields, leaves: Set[tuple[str, str]]) -> bool:
    """As `matches`, of any record of a device and the leaves of its tags; those that no query names may be left out."""
    match condition:
        case All(parts):
            return all(holds(each, view, leaves) for each in parts)
        case Some(parts):
            return any(holds(each, view, leaves) for each in parts)
        case Not(inner):
            return not holds(inner, view, leaves)
        case Absent(name) if name.startswith(TAGS):
            path = indexed_path(name.removeprefix(TAGS))
            return all(each != path for each, _ in leaves)
        case Absent(name):
            return getattr(view, name) is None
        case Among(name, values) if name.startswith(TAGS):
            path = indexed_path(name.removeprefix(TAGS))
            return any((path, indexed_value(each)) in leaves for each in values)
        case Among("product", values):
            return view.product in values or (view.product_name != "" and view.product_name in values)
        case Among(name, values):
            return getattr(view, name) in values


def paths_of(condition: Condition) -> Iterator[str]:
    """The paths of tags that a condition names, as the index has them."""
    match condition:
        case All(parts) | Some(parts):
            for each in parts:
                yield from paths_of(each)
        case Not(inner):
            yield from paths_of(inner)
        case Among(name, _) | Absent(name):
            if name.startswith(TAGS):
                yield indexed_path(name.removeprefix(TAGS))


class _Parser:
    """Recursive descent: `or` binds less than `and`, `and` less than `not`."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._comparisons = 0

    def whole(self) -> Condition:
        found = self._or()
        if self._now.kind != "end":
            raise self._unexpected("“and”, “or” or the end")
        return found

    @property
    def _now(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += token.kind != "end"
        return token

    def _take(self, *words: str) -> bool:
        """Go past one of these words or signs if it is next."""
        if self._now.kind in ("word", "sign") and self._now.text.lower() in words:
            self._at += 1
            return True
        return False

    def _or(self) -> Condition:
        parts = self._several(self._and, "or")
        return parts[0] if len(parts) == 1 else Some(parts)

    def _and(self) -> Condition:
        parts = self._several(self._not, "and")
        return parts[0] if len(parts) == 1 else All(parts)

    def _several(self, part: Callable[[], Condition], word: str) -> tuple[Condition, ...]:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return tuple(parts)

    def _not(self) -> Condition:
        start = self._now
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise fault("is nested too deep", start)
        if self._take("not"):
            found: Condition = Not(self._not())
        elif self._take("("):
            found = self._or()
            if not self._take(")"):
                raise self._unexpected("“)”")
        else:
            found = self._comparison()
        self._depth -= 1
        return found

    def _comparison(self) -> Condition:
        start = self._now
        self._comparisons += 1
        if self._comparisons > MAX_COMPARISONS:
            raise fault(f"has more than {MAX_COMPARISONS} comparisons", start)
        name = self._field()
        if self._take("="):
            return Among(name, (self._value(name),))
        if self._take("!=", "<>"):
            return Not(Among(name, (self._value(name),)))
        if self._take("is"):
            return self._is_none(name, start)
        if self._take("not"):
            if not self._take("in"):
                raise self._unexpected("“in”")
            return Not(Among(name, self._values(name)))
        if self._take("in"):
            return Among(name, self._values(name))
        raise self._unexpected("“=”, “!=”, “in” or “is”")

    def _field(self) -> str:
        token = self._next()
        if token.kind != "word":
            raise fault("expects a field", token)
        if token.text.startswith(TAGS):
            return token.text
        if token.text not in FIELDS:
            raise fault(f"knows no field “{token.text}”; there are tags.…, {', '.join(sorted(FIELDS))}", token)
        return token.text

    def _is_none(self, name: str, start: Token) -> Condition:
        negated = self._take("not")
        if not self._take("none", "null"):
            raise self._unexpected("“none”")
        if not name.startswith(TAGS) and name not in MAY_BE_NONE:
            raise fault(f"asks for none, but “{name}” always has a value", start)
        return Not(Absent(name)) if negated else Absent(name)

    def _values(self, name: str) -> tuple[Scalar, ...]:
        if not self._take("("):
            raise self._unexpected("“(”")
        values = [self._value(name)]
        while self._take(","):
            if len(values) >= MAX_CHOICES:
                raise fault(f"has more than {MAX_CHOICES} values", self._now)
            values.append(self._value(name))
        if not self._take(")"):
            raise self._unexpected("“,” or “)”")
        return tuple(values)

    def _value(self, name: str) -> Scalar:
        token = self._next()
        if token.value is None:
            raise fault("expects a value: text in quotes, a number, true or false", token)
        if name in TEXTS and not isinstance(token.value, str):
            raise fault(f"compares “{name}” with what is no text; put it into quotes", token)
        if name == "online" and not isinstance(token.value, bool):
            raise fault("compares “online” with what is neither true nor false", token)
        return token.value

    def _unexpected(self, wanted: str) -> InvalidInputError:
        return fault(f"expects {wanted}", self._now)


def fault(what: str, token: Token) -> InvalidInputError:
    """An error that points at a character, counted from 1."""
    return InvalidInputError(f"The query {what}, at character {token.at + 1}.")
