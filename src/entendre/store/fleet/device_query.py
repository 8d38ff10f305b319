"""Queries for devices as SQL: tags by their index, everything else by the columns of `fleet_devices` called `d`.

Planners guess badly what a tag picks out. So the devices of a tag that the whole query needs are looked up first; where
they are few, the rest of the query is asked of each here (`holds`), and no SQL is made of it.
"""

from __future__ import annotations

from typing import Any

from entendre.fleet.queries import MAY_BE_NONE, TAGS, Absent, All, Among, Condition, Not, Some
from entendre.fleet.twins import indexed_path, indexed_value
from entendre.store.connection import Connection

FEW = 2_000
"""Devices that are asked one by one."""


def candidates_of(connection: Connection, condition: Condition, region: str, brand: str) -> tuple[str, ...] | None:
    """The devices of the rarest tag that a condition needs, in order; None if it needs none, or they are many."""
    fewest: tuple[str, ...] | None = None
    for each in condition.parts if isinstance(condition, All) else (condition,):
        if isinstance(each, Among) and each.field.startswith(TAGS):
            found = _few(connection, each, region, brand)
            if found is not None and (fewest is None or len(found) < len(fewest)):
                fewest = found
    return fewest


def _few(connection: Connection, tag: Among, region: str, brand: str) -> tuple[str, ...] | None:
    """The devices that have a tag, in order; None if they are many."""
    values = sorted({indexed_value(each) for each in tag.values})
    sql = (
        "SELECT device FROM device_tags WHERE region = ? AND brand = ? AND path = ?"
        f" AND value IN ({_marks(len(values))}) LIMIT ?"
    )
    path = indexed_path(tag.field.removeprefix(TAGS))
    rows = connection.execute(sql, (region, brand, path, *values, FEW + 1)).fetchall()
    return tuple(sorted({row[0] for row in rows})) if len(rows) <= FEW else None


def compiled(condition: Condition, region: str, brand: str) -> tuple[str, list[Any]]:
    """The condition as SQL over `fleet_devices d`, and its parameters. It is true or false, never null."""
    match condition:
        case All(parts):
            return _joined(parts, " AND ", "1 = 1", region, brand)
        case Some(parts):
            return _joined(parts, " OR ", "1 = 0", region, brand)
        case Not(inner):
            sql, values = compiled(inner, region, brand)
            return f"NOT ({sql})", values
        case Absent(field) if field.startswith(TAGS):
            sql, values = _tagged(field, region, brand)
            return f"NOT EXISTS ({sql})", values
        case Absent(field):
            return f"d.{field} IS NULL", []
        case Among(field, choices) if field.startswith(TAGS):
            sql, values = _tagged(field, region, brand)
            found = sorted({indexed_value(each) for each in choices})
            return f"EXISTS ({sql} AND g.value IN ({_marks(len(found))}))", [*values, *found]
        case Among("product", choices):
            return _of_products(choices, region, brand)
        case Among(field, choices):
            sql, values = f"d.{field} IN ({_marks(len(choices))})", [_stored(each) for each in choices]
            return (f"(d.{field} IS NOT NULL AND {sql})" if field in MAY_BE_NONE else sql), values


def _joined(parts: tuple[Condition, ...], word: str, nothing: str, region: str, brand: str) -> tuple[str, list[Any]]:
    found = [compiled(each, region, brand) for each in parts]
    if not found:
        return nothing, []
    return word.join(f"({sql})" for sql, _ in found), [value for _, values in found for value in values]


def _tagged(field: str, region: str, brand: str) -> tuple[str, list[Any]]:
    sql = "SELECT 1 FROM device_tags g WHERE g.device = d.id AND g.region = ? AND g.brand = ? AND g.path = ?"
    return sql, [region, brand, indexed_path(field.removeprefix(TAGS))]


def _of_products(choices: tuple[Any, ...], region: str, brand: str) -> tuple[str, list[Any]]:
    marks = _marks(len(choices))
    sql = (
        f"(d.product IN ({marks}) OR d.product IN"
        f" (SELECT p.id FROM products p WHERE p.region = ? AND p.brand = ? AND p.name IN ({marks})))"
    )
    return sql, [*choices, region, brand, *choices]


def _marks(count: int) -> str:
    return ", ".join("?" * count)


def _stored(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value
