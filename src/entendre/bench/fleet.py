"""What the fleet's database holds on each engine: twin patches, telemetry, direct commands, queries by tag."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entendre.bench.fleet_doors import measure_commands, measure_telemetry
from entendre.bench.fleet_fill import fill_devices
from entendre.bench.fleet_twins import measure_tag_query, measure_twins
from entendre.bench.machine import describe_machine
from entendre.bench.real_postgres import NoPostgresError, RealPostgres
from entendre.store.database import Database, open_database

DEVICES = 100_000
TAGGED_BRAND = "bench"
ROUNDED = 6


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """`url`: an empty PostgreSQL database to use; without one, one is started here if it is installed."""

    url: str = ""
    devices: int = DEVICES
    telemetry_rows: int = 200_000


async def measure_fleet(options: FleetOptions, show: Callable[[str], None]) -> dict[str, Any]:
    """Figures of both engines in one run. An engine that is not there is named in `missing`."""
    report: dict[str, Any] = {"machine": describe_machine(), "devices": options.devices}
    with tempfile.TemporaryDirectory(prefix="entendre-bench-") as folder:
        show("sqlite …")
        database = await open_database(Path(folder) / "entendre.db")
        try:
            report["sqlite"] = await _measure(database, options, show)
        finally:
            await database.close()
    try:
        async with _postgres(options.url) as url:
            show("postgresql …")
            database = await open_database(url)
            try:
                report["postgresql"] = await _measure(database, options, show)
            finally:
                await database.close()
    except NoPostgresError as error:
        report["missing"] = str(error)
    return report


async def _measure(database: Database, options: FleetOptions, show: Callable[[str], None]) -> dict[str, Any]:
    figures = await measure_twins(database)
    show(f"  {figures['twin_patches_per_s']:,.0f} twin patches a second")
    figures |= await measure_telemetry(database, rows=options.telemetry_rows)
    show(f"  {figures['telemetry_rows_per_s']:,.0f} rows of telemetry a second")
    figures |= await measure_commands(database)
    show(f"  {figures['command_p99_s'] * 1_000:.2f} ms for a direct command, p99")
    await fill_devices(database, options.devices, brand=TAGGED_BRAND, prefix="Q")
    figures |= await measure_tag_query(database)
    show(f"  {figures['tag_query_s'] * 1_000:.1f} ms for a query by tag over {options.devices:,} devices")
    return {name: round(value, ROUNDED) if isinstance(value, float) else value for name, value in figures.items()}


@asynccontextmanager
async def _postgres(url: str) -> AsyncIterator[str]:
    """The URL of a database that waits for its disk at every commit. Raises: NoPostgresError."""
    if url:
        yield url
        return
    server = RealPostgres(durable=True)
    try:
        server.start()
        yield server.url()
    finally:
        server.close()
