"""Devices for measurements: as many as wanted, with twins and tags, written in few transactions."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

from entendre.fleet.twins import leaves_of
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.system import new_id

REGION = "home"
BRAND = "bench"
PRODUCT = "pod"
ROWS_AT_ONCE = 5_000
COUNTRIES = ("BR", "DE", "CN", "TR", "JP", "IN", "US", "FR")
RARE_RING = "canary"
RARE_EVERY = 500
"""One device of so many is in the rare ring."""

_DEVICE = (
    *("region", "id", "brand", "product", "kind", "serial", "name", "country", "state", "firmware", "online"),
    *("created_at_s", "created_by", "changed_at_s", "changed_by", "version"),
)
_TWIN = (
    *("region", "id", "brand", "tags", "tags_version", "desired", "desired_version", "reported", "reported_version"),
    "changed_at_s",
)
_TAG = ("region", "brand", "path", "value", "device")


async def fill_devices(database: Database, count: int, brand: str = BRAND, prefix: str = "S") -> tuple[str, ...]:
    """Make devices of a brand, and return their ids in order. `prefix` begins their serial numbers."""
    made: list[str] = []
    for start in range(0, count, ROWS_AT_ONCE):
        numbers = range(start, min(start + ROWS_AT_ONCE, count))
        made += await database.write(partial(_fill, brand=brand, numbers=numbers, prefix=prefix))
    await database.write(_look_at_tables)
    return tuple(made)


def _look_at_tables(connection: Connection) -> None:
    """Let planners know what is there, as the database does by itself a minute after a table has grown."""
    for table in ("fleet_devices", "twins", "device_tags"):
        connection.execute(f"ANALYZE {table}")


def _fill(connection: Connection, *, brand: str, numbers: range, prefix: str) -> list[str]:
    now_s = time.time()
    devices: list[tuple[Any, ...]] = []
    twins: list[tuple[Any, ...]] = []
    leaves: list[tuple[Any, ...]] = []
    ids = sorted(new_id() for _ in numbers)
    for number, device in zip(numbers, ids, strict=True):
        country = COUNTRIES[number % len(COUNTRIES)]
        ring = RARE_RING if number % RARE_EVERY == 0 else "stable"
        tags = {"country": country, "ring": ring, "batch": number // 1_000}
        firmware = f"1.{number % 3}.0"
        kept = (now_s, "bench", now_s, "bench", 1)
        own = (REGION, device, brand)
        devices.append(
            (*own, PRODUCT, "speaker", f"{prefix}{number:08d}", f"Pod {number}", country, "active", firmware, 0, *kept)
        )
        twins.append((*own, json.dumps(tags, separators=(",", ":")), 1, "{}", 1, "{}", 1, now_s))
        leaves += [(REGION, brand, path, value, device) for path, value in leaves_of(tags)]
    connection.insert_many("fleet_devices", _DEVICE, devices)
    connection.insert_many("twins", _TWIN, twins)
    connection.insert_many("device_tags", _TAG, leaves)
    return ids
