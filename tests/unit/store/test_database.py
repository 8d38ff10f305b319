from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from entendre.core.errors import StoreError
from entendre.store import Database
from entendre.store.migrate import packaged_migrations


def plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [migration.number for migration in packaged_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database at all, but long enough to look" * 50)
    with pytest.raises(StoreError):
        Database(path)


async def test_commits_wait_for_the_disk_and_foreign_keys_hold(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    pragmas = ("journal_mode", "synchronous", "foreign_keys")

    def read(connection: sqlite3.Connection) -> list[object]:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]

    assert await database.write(read) == ["wal", 2, 1]
    await database.close()


async def test_a_full_disk_refuses_writes_and_breaks_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")

    def insert(name: str, size_bytes: int) -> object:
        def run(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO lists VALUES ('home', 'home', ?, zeroblob(?), 1)", (name, size_bytes))

        return run

    def limit(pages: int) -> object:
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()

    await database.write(insert("before", 10))  # type: ignore[arg-type]
    await database.write(limit(60))  # type: ignore[arg-type]
    writes = (database.write(insert(f"large {number}", 100_000)) for number in range(5))  # type: ignore[arg-type]
    results = await asyncio.gather(*writes, return_exceptions=True)
    failed = [isinstance(result, StoreError) for result in results]
    assert True in failed
    await database.write(limit(1_000_000))  # type: ignore[arg-type]
    await database.write(insert("after", 100_000))  # type: ignore[arg-type]
    names = await database.read(lambda connection: [row[0] for row in connection.execute("SELECT id FROM lists")])
    kept = {f"large {number}" for number, refused in enumerate(failed) if not refused}
    assert set(names) == {"before", "after", *kept}
    await database.close()


async def test_concurrent_writes_share_commits(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    watching = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    seen = set()

    def insert(number: int) -> object:
        def run(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO lists VALUES ('home', 'home', ?, '{}', 1)", (str(number),))
            seen.add(watching.execute("PRAGMA data_version").fetchone()[0])

        return run

    await asyncio.gather(*(database.write(insert(n)) for n in range(200)))  # type: ignore[arg-type]
    assert len(seen) <= 20
    watching.close()
    await database.close()


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    await database.write(
        lambda connection: connection.execute("INSERT INTO lists VALUES ('home', 'home', 'x', '{}', 1)")
    )
    modes = {path.name: path.stat().st_mode & 0o777 for path in _files_in(tmp_path)}
    assert set(modes.values()) == {0o600}
    assert "a.db-wal" in modes
    await database.close()


def _files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_the_event_loop_goes_on_while_another_process_holds_the_lock(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.db")
    other = plain(tmp_path / "a.db")
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.ensure_future(database.write(lambda connection: connection.execute("DELETE FROM lists").rowcount))
    turns = 0
    while turns < 20:
        await asyncio.sleep(0.005)
        turns += 1
    assert not write.done()
    other.execute("COMMIT")
    assert await write == 0
    other.close()
    await database.close()


async def test_closing_moves_the_log_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    database = Database(path)
    await database.write(
        lambda connection: connection.execute("INSERT INTO lists VALUES ('home', 'home', 'x', '{}', 1)")
    )
    await database.close()
    await database.close()
    assert not path.with_name("a.db-wal").exists() or path.with_name("a.db-wal").stat().st_size == 0
    assert plain(path).execute("SELECT id FROM lists").fetchall() == [("x",)]
