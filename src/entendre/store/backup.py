"""Backups: every row of one moment in one file, while the server serves, with the artifacts that the rows name.

The rows are read in one snapshot, as JSON that either engine can be filled from.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from entendre import __version__
from entendre.core.clock import Clock
from entendre.core.errors import StoreError
from entendre.store.archive import FORMAT, Manifest, Table, Writer, written
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.engine import Engine
from entendre.store.migrate import packaged_migrations
from entendre.store.tables import TableShape, count, pages

PART_BYTES = 4 * 1024 * 1024
"""Rows are put together up to this size."""

Progress = Callable[[str, int, int], None]
"""Told what is under way, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Places:
    """What is backed up or restored besides the database: the region that it is of, and the folder of artifacts."""

    region: str
    artifacts: Path


async def back_up(database: Database, clock: Clock, places: Places, path: Path, progress: Progress) -> Manifest:
    """Write a backup to a file that does not exist yet. Raises: InvalidInputError, StoreError."""
    ending = threading.Event()

    def work(connection: Connection) -> Manifest:
        with written(path) as archive:
            return _Backup(database.engine, archive, connection, progress, ending).write(clock.wall(), places)

    try:
        return await database.read(work)
    except asyncio.CancelledError:
        ending.set()
        raise


@dataclass(slots=True)
class _Backup:
    engine: Engine
    archive: Writer
    connection: Connection
    progress: Progress
    ending: threading.Event

    def write(self, now_s: float, places: Places) -> Manifest:
        tables = self.engine.tables(self.connection)
        held = {table.name: self._table(table) for table in tables}
        missing = self._artifacts(places.artifacts) if "artifacts" in held else []
        manifest = Manifest(
            format=FORMAT,
            program=__version__,
            schema=packaged_migrations()[-1].number,
            engine=self.engine.name,
            region=places.region,
            created_at_s=now_s,
            tables=held,
            parts=self.archive.parts,
            missing=missing,
        )
        self.archive.finish(manifest)
        return manifest

    def _table(self, table: TableShape) -> Table:
        total, done, part = count(self.connection, table), 0, 0
        lines: list[bytes] = []
        size_bytes = 0
        for rows in pages(self.connection, table):
            self._go_on()
            for row in rows:
                lines.append(msgspec.json.encode(row))
                size_bytes += len(lines[-1]) + 1
                if size_bytes >= PART_BYTES:
                    self._put(table, part, lines)
                    part, size_bytes = part + 1, 0
            done += len(rows)
            self.progress(table.name, done, total)
        self._put(table, part, lines)
        return Table(list(table.columns), list(table.kinds), done)

    def _put(self, table: TableShape, part: int, lines: list[bytes]) -> None:
        if lines:
            self.archive.add(f"tables/{table.name}/{part:06d}.jsonl", b"\n".join(lines) + b"\n")
            lines.clear()

    def _artifacts(self, folder: Path) -> list[str]:
        """Every whole artifact of the rows; the names of those whose file is not there."""
        sql = "SELECT brand, id, size_bytes FROM artifacts WHERE complete = 1 ORDER BY brand, id"
        found = self.connection.execute(sql).fetchall()
        missing = []
        for number, (brand, artifact, size_bytes) in enumerate(found, 1):
            self._go_on()
            path = folder / brand / artifact
            try:
                with path.open("rb") as file:
                    whole = path.stat().st_size == size_bytes
                    if whole:
                        self.archive.add_file(f"artifacts/{brand}/{artifact}", file, size_bytes, artifact)
            except FileNotFoundError:
                whole = False
            if not whole:
                missing.append(f"{brand}/{artifact}")
            self.progress("files", number, len(found))
        return missing

    def _go_on(self) -> None:
        if self.ending.is_set():
            raise StoreError("The backup was interrupted.")
        self.connection.execute("SELECT 1").fetchone()  # a transaction that stands still for long is ended
