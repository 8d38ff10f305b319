"""Backups: whole, of one moment, from either engine into either, and never half."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entendre.cli import main
from entendre.core.errors import ConfigurationError, ConflictError, InvalidInputError, NewerDatabaseError, StoreError
from entendre.ports import Change, JobRow, OutboxEvent
from entendre.store import ApiKeys, SqliteStore, backup, open_database, restore
from entendre.store.audit import Act, first_broken, record
from entendre.store.backup import Places, back_up
from entendre.store.connection import Connection
from entendre.store.database import Database, engine_of
from entendre.store.migrate import packaged_migrations
from entendre.store.tables import TableShape, pages
from entendre.system import SystemClock, new_id

_CHOICE = re.compile(r"^\s+(\w+)\s+TEXT[^\n]*CHECK \(\w+ IN \('([^']+)'", re.MULTILINE)
_TABLE = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\)", re.DOTALL)
PARENTS = {("list_items", "list"): "lists.id", ("device_tokens", "device"): "devices.id"}
ALLOWED = {
    (table.replace("household_list", "list"), column): value
    for migration in packaged_migrations()
    for table, body in _TABLE.findall(migration.sql)
    for column, value in _CHOICE.findall(body)
}
"""Values that a CHECK of the schema asks for."""
ROWS = 3


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places("home", tmp_path / "artifacts")


@pytest.fixture(params=["sqlite", "postgresql"])
def other_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where backups are restored to."""
    if request.param == "sqlite":
        return tmp_path / "other" / "entendre.db"
    url: str = request.getfixturevalue("postgres_databases").migrated()
    return url


def value_of(table: TableShape, column: str, kind: str, number: int) -> Any:
    if column == "region" or (column == "household" and table.name in ("lists", "list_items")):
        return "home"
    if (table.name, column) in ALLOWED:
        return ALLOWED[table.name, column]
    if kind == "text":
        name = PARENTS.get((table.name, column), f"{table.name}.{column}")
        return f'{name} {number} é "q" \\ 夏'
    return {"integer": number, "real": number + 0.1, "blob": bytes([number, 0, 255])}[kind]


def fill(database: Database) -> Callable[[Connection], None]:
    """Some rows of every table of the schema."""

    def work(connection: Connection) -> None:
        for table in database.engine.tables(connection):
            if table.name == "audit":
                continue
            rows = [
                [value_of(table, *column, number) for column in zip(table.columns, table.kinds, strict=True)]
                for number in range(1, ROWS + 1)
            ]
            assert connection.insert_many(table.name, table.columns, rows) == ROWS, table.name
        for number in range(ROWS):
            record(connection, "home", 1.5, Act("cli", "brand.created", f"é {number}", detail={"n": number}))
        connection.execute("UPDATE artifacts SET complete = 0")

    return work


def everything(database: Database) -> Callable[[Connection], dict[str, list[Any]]]:
    def work(connection: Connection) -> dict[str, list[Any]]:
        return {
            table.name: [tuple(row) for page in pages(connection, table) for row in page]
            for table in database.engine.tables(connection)
        }

    return work


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_file()]


def ignore(*_: object) -> None: ...


async def backed_up(database: Database, places: Places, path: Path) -> Path:
    await back_up(database, SystemClock(), places, path, ignore)
    return path


async def restored(
    place: Path | str, places: Places, path: Path, *, over: bool = False, ledger: Path = Path("/nowhere")
) -> Database:
    """A database that was filled from a backup. The caller closes it."""
    database = await open_database(place)
    try:
        await restore.restore(database, SystemClock(), places, ledger, path, replace=over, progress=ignore)
    except BaseException:
        await database.close()
        raise
    return database


async def test_every_row_comes_back_on_either_engine(
    database: Database, other_place: Path | str, places: Places, tmp_path: Path
) -> None:
    await database.write(fill(database))
    before = await database.read(everything(database))
    assert all(before.values())
    path = await backed_up(database, places, tmp_path / "a.backup")
    assert path.stat().st_mode & 0o777 == 0o600
    other = await restored(other_place, places, path)
    after = await other.read(everything(other))
    assert after.keys() == before.keys()
    for name in before.keys() - {"twins", "audit", "artifacts"}:
        assert after[name] == before[name], name
    assert after["audit"][:-1] == before["audit"]
    assert await other.read(lambda connection: first_broken(connection, "home")) is None
    await other.close()


async def test_restored_twins_and_numbers_never_go_back(
    database: Database, other_place: Path | str, places: Places, tmp_path: Path
) -> None:
    await database.write(fill(database))
    path = await backed_up(database, places, tmp_path / "a.backup")
    other = await restored(other_place, places, path)
    sql = "SELECT tags_version, desired_version, reported_version FROM twins ORDER BY id"
    rows = await other.read(lambda connection: connection.execute(sql).fetchall())
    assert rows == [(number + 2**32,) * 3 for number in range(1, ROWS + 1)]
    store = SqliteStore(other, SystemClock())
    await store.write(Change(events=(OutboxEvent("job", "after", "created"),)))
    assert (await store.outbox(0, 100))[-1].seq > 2**32
    await other.close()
    again = await restored(other_place, places, path, over=True)
    store = SqliteStore(again, SystemClock())
    await store.write(Change(events=(OutboxEvent("job", "after", "created"),)))
    assert (await store.outbox(0, 100))[-1].seq > 2 * 2**32
    await again.close()


async def test_a_key_opens_after_a_restore(
    database: Database, other_place: Path | str, places: Places, tmp_path: Path
) -> None:
    keys = ApiKeys(database, SystemClock())
    token, _ = await keys.add("kitchen")
    path = await backed_up(database, places, tmp_path / "a.backup")
    other = await restored(other_place, places, path)
    assert await ApiKeys(other, SystemClock()).verify(token) is not None
    await other.close()


async def test_a_backup_is_of_one_moment_while_others_write(
    database: Database, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "PART_BYTES", 500)
    store, ending = SqliteStore(database, SystemClock()), False

    async def writer() -> None:
        while not ending:
            row = JobRow(new_id(), "timer", "k", "en", 1.0)
            await store.write(Change(jobs=(row,), events=(OutboxEvent("job", row.id, "created"),)))

    writing = [asyncio.ensure_future(writer()) for _ in range(4)]
    await asyncio.sleep(0.1)
    for number in range(3):
        manifest = await back_up(database, SystemClock(), places, tmp_path / f"{number}.backup", ignore)
        assert manifest.tables["jobs"].rows == manifest.tables["outbox"].rows > 0
    ending = True
    await asyncio.gather(*writing)


async def test_a_database_with_rows_is_not_replaced_unasked(
    database: Database, places: Places, tmp_path: Path, database_place: Path | str
) -> None:
    store = SqliteStore(database, SystemClock())
    row = JobRow(new_id(), "timer", "k", "en", 1.0)
    await store.write(Change(jobs=(row,)))
    path = await backed_up(database, places, tmp_path / "a.backup")
    later = JobRow(new_id(), "timer", "k", "en", 1.0)
    await store.write(Change(jobs=(later,)))
    with pytest.raises(ConflictError, match="--replace"):
        await restored(database_place, places, path)
    assert len(await store.jobs()) == 2
    again = await restored(database_place, places, path, over=True)
    assert await store.jobs() == (replace(row, version=1),)
    await again.close()


def _cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def _flipped(content: bytes) -> bytes:
    plain = gzip.decompress(content).replace(b"kitchen", b"kitschy")
    return gzip.compress(plain)


def _without_a_part(content: bytes) -> bytes:
    return _rewritten(content, lambda name: name.startswith("tables/lists"))


def _without_manifest(content: bytes) -> bytes:
    return _rewritten(content, lambda name: name == "manifest.json")


def _with_another_file(content: bytes) -> bytes:
    return _rewritten(content, lambda name: False, extra="../../etc/passwd")


def _rewritten(content: bytes, drop: Callable[[str], bool], extra: str = "") -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(fileobj=made, mode="w:gz") as new:
        if extra:
            new.addfile(tarfile.TarInfo(extra))
        for member in old:
            if not drop(member.name):
                new.addfile(member, old.extractfile(member))
    return made.getvalue()


@pytest.mark.parametrize(
    "damage",
    [_cut, _flipped, _without_a_part, _without_manifest, _with_another_file, lambda _: b"", lambda _: b"x" * 99],
)
async def test_a_damaged_backup_touches_nothing(
    places: Places, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    database = await open_database(tmp_path / "entendre.db")
    sql = "INSERT INTO lists (region, household, id, names, version) VALUES ('home', 'home', ?, '{}', 1)"
    names = [("kitchen",), *((hashlib.sha256(bytes([n])).hexdigest(),) for n in range(200))]
    await database.write(lambda connection: connection.executemany(sql, names).rowcount)
    path = await backed_up(database, places, tmp_path / "a.backup")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InvalidInputError):
        await restored(tmp_path / "entendre.db", places, path, over=True)
    counted = await database.read(lambda connection: connection.execute("SELECT count(*) FROM lists").fetchone())
    assert counted == (201,)
    await database.close()


async def test_what_fails_halfway_undoes_all(
    database: Database, database_place: Path | str, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await database.write(fill(database))
    path = await backed_up(database, places, tmp_path / "a.backup")
    before = await database.read(everything(database))

    def fails(*_: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(restore, "_raise_versions", fails)
    with pytest.raises(StoreError, match="full"):
        await restored(database_place, places, path, over=True)
    assert await database.read(everything(database)) == before
    with pytest.raises(StoreError, match="never"):
        await database.write(lambda connection: connection.execute("DELETE FROM audit").rowcount)


async def test_an_interrupted_backup_leaves_nothing(places: Places, tmp_path: Path) -> None:
    database = await open_database(tmp_path / "data" / "entendre.db")
    await database.write(fill(database))
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def seen(*_: object) -> None:
        loop.call_soon_threadsafe(started.set)

    running = asyncio.ensure_future(back_up(database, SystemClock(), places, tmp_path / "a.backup", seen))
    await started.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await database.close()
    assert files_in(tmp_path) in ([], ["a.backup"])


async def test_a_full_disk_leaves_nothing(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = await open_database(tmp_path / "data" / "entendre.db")
    await database.write(fill(database))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("entendre.store.archive.os.fsync", full)
    with pytest.raises(StoreError, match="No space"):
        await backed_up(database, places, tmp_path / "a.backup")
    monkeypatch.undo()
    assert files_in(tmp_path) == []
    await backed_up(database, places, tmp_path / "a.backup")
    with pytest.raises(InvalidInputError, match="already"):
        await backed_up(database, places, tmp_path / "a.backup")
    await database.close()


async def test_backups_of_newer_schemas_and_other_regions_are_refused(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await open_database(tmp_path / "entendre.db")
    path = await backed_up(database, places, tmp_path / "a.backup")
    with pytest.raises(ConfigurationError, match="region"):
        await restored(tmp_path / "entendre.db", replace(places, region="away"), path)
    monkeypatch.setattr(restore, "packaged_migrations", lambda: packaged_migrations()[:3])
    with pytest.raises(NewerDatabaseError):
        await restored(tmp_path / "entendre.db", places, path)
    await database.close()


@pytest.mark.parametrize("number", [1, 2])
async def test_a_backup_of_an_older_schema_is_brought_to_this_one(
    places: Places, tmp_path: Path, other_place: Path | str, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    old = packaged_migrations()[:number]
    engine_of(tmp_path / "old.db").prepare(old)
    monkeypatch.setattr("entendre.store.sqlite_engine.packaged_migrations", lambda: old)
    database = await open_database(tmp_path / "old.db")
    monkeypatch.setattr(backup, "packaged_migrations", lambda: old)
    sql = "INSERT INTO lists (region, id, names, version) VALUES ('home', 'shopping', '{}', 4)"
    await database.write(lambda connection: connection.execute(sql).rowcount)
    path = await backed_up(database, places, tmp_path / "a.backup")
    await database.close()
    monkeypatch.undo()
    other = await restored(other_place, places, path)
    (found,) = await SqliteStore(other, SystemClock()).lists()
    assert (found[0].id, found[0].version) == ("shopping", 4)
    await other.close()


async def test_who_was_erased_since_does_not_come_back(
    database: Database, other_place: Path | str, places: Places, tmp_path: Path
) -> None:
    note = (
        "INSERT INTO notes (region, id, household, account, text, created_at_s, created_by, version)"
        " VALUES ('home', ?, ?, NULL, ?, 1.0, 'x', 1)"
    )
    home = (
        "INSERT INTO households (region, id, brand, name, retention, created_at_s, created_by, version)"
        " VALUES ('home', ?, 'home', ?, '{}', 1.0, 'x', 1)"
    )

    def filled(connection: Connection) -> None:
        for name in ("stays", "goes"):
            connection.execute(home, (name, name))
            connection.execute(note, (f"note {name}", name, f"secret of {name}"))

    await database.write(filled)
    path = await backed_up(database, places, tmp_path / "a.backup")
    ledger = tmp_path / "erasures.jsonl"
    line = {"id": new_id(), "region": "home", "kind": "household", "subject": "goes", "at_s": 5.0, "by": "x"}
    ledger.write_text(json.dumps(line) + "\n")
    other = await restored(other_place, places, path, ledger=ledger)
    found = await other.read(everything(other))
    assert [row[4] for row in found["notes"]] == ["secret of stays"]
    assert [row[3] for row in found["erasures"]] == ["goes"]
    assert await other.read(lambda connection: first_broken(connection, "home")) is None
    await other.close()
    again = await restored(other_place, places, path, over=True)
    found = await again.read(everything(again))
    assert [row[4] for row in found["notes"]] == ["secret of stays"], "what the database itself knew of was forgotten"
    await again.close()


async def test_files_of_artifacts_come_along(places: Places, tmp_path: Path, other_place: Path | str) -> None:
    database = await open_database(tmp_path / "entendre.db")
    content = b"firmware" * 1_000
    whole, lost = hashlib.sha256(content).hexdigest(), "0" * 64
    (places.artifacts / "acme").mkdir(parents=True)
    (places.artifacts / "acme" / whole).write_bytes(content)
    sql = (
        "INSERT INTO artifacts (region, brand, id, size_bytes, received_bytes, complete, created_at_s, created_by)"
        " VALUES ('home', 'acme', ?, ?, ?, 1, 1.0, 'x')"
    )
    rows = [(each, len(content), len(content)) for each in (whole, lost)]
    await database.write(lambda connection: connection.executemany(sql, rows).rowcount)
    manifest = await back_up(database, SystemClock(), places, tmp_path / "a.backup", ignore)
    assert manifest.missing == [f"acme/{lost}"]
    elsewhere = Places("home", tmp_path / "elsewhere")
    other = await restored(other_place, elsewhere, tmp_path / "a.backup")
    assert (elsewhere.artifacts / "acme" / whole).read_bytes() == content
    sql = "SELECT id, complete, received_bytes FROM artifacts ORDER BY id"
    found = await other.read(lambda connection: connection.execute(sql).fetchall())
    assert sorted(found) == sorted([(whole, 1, len(content)), (lost, 0, 0)])
    await other.close()
    await database.close()


def test_the_commands_back_up_and_restore(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*words: str) -> str:
        assert main([*words]) == 0
        return capsys.readouterr().out

    data, new, file = str(tmp_path / "data"), str(tmp_path / "new"), str(tmp_path / "a.backup")
    command("keys", "add", "kitchen", "--data-dir", data)
    rows = json.loads(command("backup", file, "--json", "--data-dir", data))["rows"]
    assert rows > 0
    assert main(["backup", file, "--data-dir", data]) == 1
    assert f"restored {rows} rows" in command("restore", file, "--data-dir", new)
    assert main(["restore", file, "--data-dir", new]) == 1
    assert f"restored {rows} rows" in command("restore", file, "--replace", "--data-dir", new)
    assert "kitchen" in command("keys", "list", "--data-dir", new)
    assert main(["restore", str(tmp_path / "none"), "--data-dir", new]) == 1
