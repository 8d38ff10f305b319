"""Restoring a backup: all of it in one transaction, into either engine, after every part was found sound.

What was restored never looks older than what devices saw: versions of twins rise by `TWIN_STEP`, and the numbers of
announcements and of the change feed go on `NUMBER_STEP` higher. What was erased since the backup is erased again.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from entendre.core.clock import Clock
from entendre.core.errors import ConfigurationError, ConflictError, InvalidInputError, NewerDatabaseError, StoreError
from entendre.store.archive import BLOCK_BYTES, Manifest, checked, parts_of
from entendre.store.audit import Act, record
from entendre.store.backup import Places, Progress
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.engine import Session
from entendre.store.migrate import packaged_migrations
from entendre.store.people.erasure import ErasureLine, read_erasures, reapply
from entendre.store.people.subjects import TABLES
from entendre.store.sqlite_engine import SqliteEngine
from entendre.store.tables import pages

TWIN_STEP = 2**32
"""How far versions of twins rise: further than any twin changed since the backup, and exact in JSON 2,000,000 times."""
NUMBER_STEP = 2**32
LOT_ROWS = 1_000
BY = "cli"


Lots = Iterator[tuple[str, Sequence[str], list[Any]]]
"""Rows, some of one table at a time: its name, its columns, and they."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    manifest: Manifest
    rows: int
    erased_again: int


async def restore(
    database: Database,
    clock: Clock,
    places: Places,
    ledger: Path,
    path: Path,
    *,
    replace: bool,
    progress: Progress,
) -> Restored:
    """Fill a database from a backup. `replace`: also one that has rows, which go. `ledger`: the file of erasures.

    Raises: InvalidInputError for a damaged backup, ConflictError when there are rows, NewerDatabaseError,
    ConfigurationError when the backup is of another region, StoreError.
    """
    manifest = _admitted(path, places.region, progress)
    if not replace and await database.read(lambda connection: _has_rows(database, connection)):
        raise ConflictError("There is data in this database. To replace it: --replace")
    done = read_erasures(ledger)
    with tempfile.TemporaryDirectory(prefix="entendre-restore-") as folder:
        staged = _staged(Path(folder), path, manifest)
        _put_artifacts(path, places.artifacts)
        filling = _Filling(database, path, manifest, staged, done, progress, clock.wall())
        rows, erased = await database.write(filling.work)
    if erased:
        await database.scrub([table.name for table in TABLES])
    return Restored(manifest, rows, erased)


def _admitted(path: Path, region: str, progress: Progress) -> Manifest:
    size_bytes, passed = path.stat().st_size if path.exists() else 0, 0

    def counted(some: int) -> None:
        nonlocal passed
        passed += some
        progress("checking", passed, max(passed, size_bytes))

    manifest = checked(path, counted)
    known = packaged_migrations()[-1].number
    if manifest.schema > known:
        raise NewerDatabaseError(f"The backup has schema {manifest.schema}, this version of entendre knows {known}.")
    if manifest.region != region:
        raise ConfigurationError(
            f"The backup is of the region {manifest.region}, this server's is {region}: see server.region."
        )
    return manifest


def _has_rows(database: Database, connection: Connection) -> bool:
    return any(
        connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is not None
        for table in database.engine.tables(connection)
    )


def _staged(folder: Path, path: Path, manifest: Manifest) -> SqliteEngine | None:
    """A backup of an older schema, brought to this one in a file of its own."""
    migrations = packaged_migrations()
    if manifest.schema == migrations[-1].number:
        return None
    engine = SqliteEngine(folder / "staged.db")
    engine.prepare(migrations[: manifest.schema])
    session = engine.writer()
    try:
        session.begin()
        for table, columns, rows in _lots_in(path, manifest, clean=False):
            session.connection.insert_many(table, columns, rows)
        session.commit()
    except session.errors as error:
        raise engine.explained(error) from error
    finally:
        session.close()
    engine.prepare()
    return engine


@dataclass(slots=True)
class _Filling:
    database: Database
    path: Path
    manifest: Manifest
    staged: SqliteEngine | None
    erasures: tuple[ErasureLine, ...]
    progress: Progress
    now_s: float

    def work(self, connection: Connection) -> tuple[int, int]:
        """Everything in one transaction; returns how many rows were restored and how many erasures done again."""
        engine = self.database.engine
        tables = engine.tables(connection)
        lines = _merged(self.erasures, connection)
        numbers = {table.name: engine.last_number(connection, table.name) for table in tables if table.counts}
        with engine.rebuilding(connection):
            for table in reversed(tables):
                connection.execute(f"DELETE FROM {table.name}")
            rows = self._fill(connection)
            _mark_missing(connection, self.manifest.missing)
            _raise_versions(connection)
        for name, before in numbers.items():
            engine.count_on_from(connection, name, _following(connection, name, before))
        record(connection, self.manifest.region, self.now_s, self._act())
        return rows, reapply(connection, lines)

    def _act(self) -> Act:
        held = {"created_at_s": self.manifest.created_at_s, "schema": self.manifest.schema}
        return Act(BY, "backup.restored", self.manifest.region, detail=held)

    def _fill(self, connection: Connection) -> int:
        total, done = sum(table.rows for table in self.manifest.tables.values()), 0
        for table, columns, rows in self._lots():
            if connection.insert_many(table, columns, rows) != len(rows):
                raise InvalidInputError(f"The backup has rows of {table} twice.")
            done += len(rows)
            self.progress("restoring", done, max(done, total))
        if self.staged is None and done != total:
            raise InvalidInputError("The backup has not the rows that its manifest says.")
        return done

    def _lots(self) -> Lots:
        clean = self.database.engine.name != "sqlite"
        if self.staged is None:
            yield from _lots_in(self.path, self.manifest, clean=clean)
            return
        session: Session = self.staged.reader()
        try:
            session.begin()
            for table in self.staged.tables(session.connection):
                for rows in pages(session.connection, table):
                    yield table.name, table.columns, rows
        finally:
            session.close()


def _lots_in(path: Path, manifest: Manifest, *, clean: bool) -> Lots:
    """The rows of an archive. `clean`: PostgreSQL's texts hold no NUL; it becomes the sign for what can't be shown."""
    for name, file in parts_of(path):
        kind, table = name.split("/")[:2]
        if kind != "tables":
            continue
        held = manifest.tables.get(table)
        if held is None:
            raise InvalidInputError(f"The backup has rows of {table}, of which its manifest knows nothing.")
        blobs = [index for index, each in enumerate(held.kinds) if each == "blob"]
        rows: list[Any] = []
        for line in file:
            rows.append(_decoded(line, blobs, clean))
            if len(rows) == LOT_ROWS:
                yield table, held.columns, rows
                rows = []
        if rows:
            yield table, held.columns, rows


def _decoded(line: bytes, blobs: list[int], clean: bool) -> list[Any]:
    row: list[Any] = msgspec.json.decode(line, type=list)
    for index in blobs:
        if row[index] is not None:
            row[index] = base64.b64decode(row[index])
    if clean and b"\\u0000" in line:
        row = [value.replace("\x00", "\ufffd") if isinstance(value, str) else value for value in row]
    return row


def _merged(noted: tuple[ErasureLine, ...], connection: Connection) -> tuple[ErasureLine, ...]:
    """Erasures that the ledger or the database, as it was before, knows of."""
    sql = "SELECT id, region, kind, subject, at_s, by_whom FROM erasures"
    found = {line.id: line for line in (*(ErasureLine(*row) for row in connection.execute(sql)), *noted)}
    return tuple(sorted(found.values(), key=lambda line: (line.at_s, line.id)))


def _mark_missing(connection: Connection, missing: list[str]) -> None:
    """Artifacts whose files the backup does not hold are to be uploaded again."""
    connection.execute("UPDATE artifacts SET received_bytes = 0 WHERE complete = 0")
    for name in missing:
        brand, _, artifact = name.partition("/")
        sql = "UPDATE artifacts SET complete = 0, received_bytes = 0 WHERE brand = ? AND id = ?"
        connection.execute(sql, (brand, artifact))


def _raise_versions(connection: Connection) -> None:
    sections = ("tags_version", "desired_version", "reported_version")
    sets = ", ".join(f"{section} = {section} + {TWIN_STEP}" for section in sections)
    connection.execute(f"UPDATE twins SET {sets}")


def _following(connection: Connection, table: str, before: int) -> int:
    """From where the numbers of a table go on. Those of the audit log have no readers that go on from one."""
    last = int(connection.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()[0])
    return last if table == "audit" else max(last, before) + NUMBER_STEP


def _put_artifacts(path: Path, folder: Path) -> None:
    """Files of the backup that are not there; their names are the hashes of their content."""
    for name, file in parts_of(path):
        kind, *rest = name.split("/")
        if kind == "artifacts":
            _put_artifact(folder.joinpath(*rest), file)


def _put_artifact(place: Path, file: IO[bytes]) -> None:
    if place.exists():
        return
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number, part = tempfile.mkstemp(prefix=".restored.", dir=place.parent)
        digest = hashlib.sha256()
        with os.fdopen(number, "wb") as written:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
                written.write(block)
            written.flush()
            os.fsync(written.fileno())
        if digest.hexdigest() != place.name:
            Path(part).unlink()
            raise InvalidInputError("An artifact of the backup is not what its name says.", detail=str(place))
        Path(part).rename(place)
    except OSError as error:
        raise StoreError("An artifact can't be restored.", detail=f"{place}: {error.strerror}") from error
