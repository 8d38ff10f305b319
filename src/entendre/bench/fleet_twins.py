"""What twins hold: durable patches a second beside plain UPDATE and INSERT statements, and queries by tag."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

from entendre.bench.fleet_fill import BRAND, RARE_RING, REGION, fill_devices
from entendre.ports.fleet_twins import TwinPatch
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.devices import FleetDevices
from entendre.store.fleet.twins import FleetTwins
from entendre.system import SystemClock

WRITERS = 16
IN_FLIGHT = 64
"""Patches that each writer keeps waiting."""
LASTS_S = 3.0
PLAIN_LASTS_S = 1.5
TWINS = 2_000
QUERIES = 9


async def measure_twins(database: Database, *, lasts_s: float = LASTS_S, devices: int = TWINS) -> dict[str, Any]:
    """Durable patches of reported sections beside what the same engine writes plainly. Units: a second."""
    ids = await fill_devices(database, devices, brand=BRAND)
    patches_per_s = await _patch(database, ids, lasts_s)
    plain_per_s = await _plain(database, ids, min(lasts_s, PLAIN_LASTS_S), together=1)
    batched_per_s = await _plain(database, ids, min(lasts_s, PLAIN_LASTS_S), together=256)
    return {
        "writers": WRITERS,
        "in_flight": WRITERS * IN_FLIGHT,
        "twin_patches_per_s": round(patches_per_s, 1),
        "plain_writes_per_s": round(plain_per_s, 1),
        "plain_batched_writes_per_s": round(batched_per_s, 1),
        "patches_per_plain_write": round(patches_per_s / plain_per_s, 2),
        "patches_per_batched_write": round(patches_per_s / batched_per_s, 2),
    }


async def measure_tag_query(database: Database) -> dict[str, Any]:
    """How long one page of devices of a rare tag takes, with their count. The devices are there already. Units: s."""
    devices = FleetDevices(database, SystemClock(), REGION)
    query = (
        f"tags.ring = '{RARE_RING}' and state != 'revoked' and (tags.country in ('BR', 'DE') or tags.country = 'TR')"
    )
    took_s = []
    count = 0
    for _ in range(QUERIES):
        began_s = time.perf_counter()
        page = await devices.devices(BRAND, query=query, count=True)
        took_s.append(time.perf_counter() - began_s)
        count = page.count or 0
    return {
        "tag_query_s": round(statistics.median(took_s), 5),
        "tag_query_max_s": round(max(took_s), 5),
        "found": count,
    }


async def _patch(database: Database, ids: tuple[str, ...], lasts_s: float) -> float:
    """Patches a second of writers that each keep many waiting."""
    twins = FleetTwins(database, SystemClock(), REGION)
    done = 0
    until_s = time.perf_counter() + lasts_s

    async def writer(number: int) -> None:
        nonlocal done
        turn = number
        while time.perf_counter() < until_s:
            turn += WRITERS * IN_FLIGHT
            state = {"temperature": turn % 40, "playing": turn % 2 == 0, "audio": {"volume": turn % 100}}
            await twins.patch(TwinPatch(BRAND, ids[turn % len(ids)], "reported", state), by="bench")
            done += 1

    began_s = time.perf_counter()
    await asyncio.gather(*(writer(number) for number in range(WRITERS * IN_FLIGHT)))
    return done / (time.perf_counter() - began_s)


async def _plain(database: Database, ids: tuple[str, ...], lasts_s: float, *, together: int) -> float:
    """Writes a second that a patch would need at least: one UPDATE and one INSERT, so many to a transaction."""
    update = "UPDATE twins SET reported = ?, reported_version = reported_version + 1 WHERE region = ? AND id = ?"
    insert = "INSERT INTO changes (region, brand, topic, subject, change, at_s) VALUES (?, ?, ?, ?, ?, ?)"
    done = 0

    def work(connection: Connection) -> None:
        for offset in range(together):
            device = ids[(done + offset) % len(ids)]
            connection.execute(update, ('{"temperature":1}', REGION, device))
            connection.execute(insert, (REGION, BRAND, "plain", device, "patched", 0.0))

    began_s = time.perf_counter()
    while time.perf_counter() - began_s < lasts_s:
        await database.write(work)
        done += together
    return done / (time.perf_counter() - began_s)
