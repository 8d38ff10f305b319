"""Records of the API as a person reads them, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from entendre.cli.fleet.terminal import fields, moment, printable, short, size, span, table


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its title, and what it shows of a record's plain form."""

    title: str
    value: Callable[[Mapping[str, Any]], str]


def column(title: str, name: str) -> Column:
    """The column of one field, shown as its name asks: times, sizes, ids."""
    return Column(title, lambda record: shown(name, record.get(name)))


ID = Column("ID", lambda record: short(str(record["id"])))


def as_json(value: object) -> str:
    """A record, or many as an array, as JSON: the API's own fields."""
    return json.dumps(plain(value), ensure_ascii=False, indent=2)


def plain(value: object) -> Any:
    """A record without its type."""
    return msgspec.to_builtins(value)


def listed(records: Sequence[object], columns: Sequence[Column], nothing: str) -> str:
    """Records as a table, or a sentence where there is none."""
    if not records:
        return nothing
    rows = [[each.value(record) for each in columns] for record in plain(list(records))]
    return table([each.title for each in columns], rows)


def described(record: object) -> str:
    """One record, a line for each field that says something."""
    document = plain(record)
    if not isinstance(document, Mapping):
        return as_json(document)
    return fields([(label(name), detail(name, value)) for name, value in document.items() if _says(value)])


def _says(value: Any) -> bool:
    return value is not None and value not in ("", [], (), {})


def label(name: str) -> str:
    """A field's name in words."""
    if name == "at_s":
        return "when"
    for unit in ("_at_s", "_bytes", "_s"):
        name = name.removesuffix(unit)
    return name.replace("_", " ")


def shown(name: str, value: Any) -> str:
    """A field in a cell."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case int() | float() if name.endswith("_at_s") or name == "at_s":
            return moment(float(value))
        case int() | float() if name.endswith("_bytes"):
            return size(value)
        case int() | float() if name.endswith("_s"):
            return span(float(value))
        case float() if value.is_integer():
            return f"{value:.0f}"
        case str() if name == "by" or name.endswith("_by"):
            kind, colon, id_ = value.partition(":")
            return f"{kind} {short(id_)}" if colon else kind
        case str():
            return short(value)
        case list() | tuple():
            return ", ".join(shown("", each) for each in value) or "-"
        case Mapping():
            return ", ".join(f"{inner} {shown(inner, each)}" for inner, each in value.items() if _says(each)) or "-"
        case _:
            return str(value)


def detail(name: str, value: Any) -> str:
    """A field with room for all of it, on as many lines as it needs."""
    match value:
        case str():
            return "\n".join(printable(line) for line in value.split("\n"))
        case Mapping():
            return "\n".join(_inner(name, each) for name, each in value.items() if _says(each))
        case list() | tuple() if any(isinstance(each, Mapping) for each in value):
            return "\n".join(shown(name, each) for each in value)
        case list() | tuple():
            return ", ".join(str(each) for each in value)
        case _:
            return shown(name, value)


def _inner(name: str, value: Any) -> str:
    text = detail(name, value)
    name = label(name)
    if isinstance(value, Mapping):
        return f"{name}:\n" + "\n".join(f"  {line}" for line in text.split("\n"))
    return f"{name}: {text}"
