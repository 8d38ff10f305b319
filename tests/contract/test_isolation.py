"""No operation by one brand or household reads or changes another's: asked of every operation that the API has.

Two worlds stand on one server. Everybody of the first, and nobody, calls every operation in every way in which ids of
the second can be put into it. No answer may hold a word, an id or a secret of it, and no row of it may change.
`ENTENDRE_ISOLATION_SEED` and `ENTENDRE_ISOLATION_ROUNDS` draw other bodies, and more of them.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import os
import random
import re
import uuid
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from belongings import OF_NOBODY, belongings, fill
from drawing import Drawing
from two_worlds import PEOPLE, Api, World, make_world, sign_in, signed_release

from entendre.app.application import App
from entendre.config import load_settings
from entendre.fleet.enrolment import derived_key, symmetric_proof
from entendre.store.people.subjects import TABLES
from entendre.web.api.form_data import FORM
from entendre.web.api.operation import Operation
from entendre.web.api.routes import OPERATIONS

pytestmark = pytest.mark.slow
pytest.importorskip("argon2")

SEED = int(os.environ.get("ENTENDRE_ISOLATION_SEED", "1"))
ROUNDS = int(os.environ.get("ENTENDRE_ISOLATION_ROUNDS", "2"))
CALLERS = ("admin", *PEOPLE, "claimed", "idle", "nobody")
SHARED = frozenset({"shopping", "history"})
"""Names in paths that are nobody's: what both worlds call a list, and a kind of data."""
REPEATED = "repeated"
"""An Idempotency-Key that both worlds use."""
PEER = {"If-Match": '"1"'}
BY_DESIGN = {
    "create_partnership": {"partnerships", "changes", "audit"},
    "create_household": {"households", "changes", "audit"},
}
"""What an operation may add to a brand's: it is told what was lent to it, and who became its customer."""
LAST = ("end_sessions", "change_password", "erase_me", "leave_household", "erase_household")
"""What ends a caller's own world, in the order in which it is done."""
ENDING = re.compile(r"(revoke|withdraw|abort|remove|end|forget|cancel|release|erase|rotate)_")


@dataclass
class Prober:
    """Calls as people of one world, and what they were answered of the other."""

    api: Api
    app: App
    mine: World
    theirs: World
    drawing: Drawing
    rng: random.Random
    asked: Counter[str] = field(default_factory=Counter)
    granted: Counter[str] = field(default_factory=Counter)
    before: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    async def on(cls, app: App, http: aiohttp.ClientSession) -> Prober:
        """Two worlds on a server."""
        operator, _ = await app.keys.add("operator")
        api = Api(http, f"http://127.0.0.1:{app.port}", operator)
        mine, theirs = await make_world(api, "zzamber"), await make_world(api, "zzberyl")
        for world in (mine, theirs):
            await app.database.write(lambda connection, world=world: fill(connection, world))
            brand = await api.done("GET", f"/brands/{world.brand}")
            world.ids["brand-names"] = [brand["name"]]
            started = f"/brands/{world.brand}/rollouts/{world.ids['rollouts'][0]}"
            while (await api.done("GET", started))["state"] == "preparing":
                pass
        theirs.secrets |= set(theirs.ids.pop("device-codes"))  # whoever has it may decide: it is never handed over
        rng = random.Random(SEED)
        made = cls(api, app, mine, theirs, Drawing(rng, mine, theirs), rng)
        made.before = await made.rows()
        return made

    async def rows(self) -> dict[str, dict[str, str]]:
        """Every row of theirs."""
        return await self.app.database.read(lambda connection: belongings(connection, self.theirs))

    async def call(self, operation: Operation, path: str, caller: str, **options: Any) -> tuple[int, bytes]:
        """Ask, and look at the answer for what is not the caller's."""
        headers: dict[str, str] = options.pop("headers", {})
        if caller != "nobody":
            headers |= {"Authorization": f"Bearer {self.mine.tokens[caller]}"}
        url = f"{self.api.url}/api/v1{path}"
        async with self.api.http.request(operation.method, url, headers=headers, **options) as answer:
            data = await answer.read()
            status, kind = answer.status, answer.content_type
        self.asked[operation.name] += 1
        self.granted[operation.name] += status < 300
        what = f"{caller}: {operation.method} {path} {options} → {status}"
        assert status < 500, f"{what} {data[:500]!r}"
        self.look(data if kind != "application/zip" else unpacked(data), caller, what)
        return status, data

    def look(self, data: bytes, caller: str, what: str) -> None:
        """Raises: AssertionError where an answer holds what is another's."""
        text = data.decode("utf-8", "replace")
        found = set(re.findall(rf"{self.theirs.mark}[a-z]*\d+", text))
        found |= {each for ids in self.theirs.ids.values() for each in ids if len(each) > 16 and each in text}
        found |= {each for each in self.theirs.secrets if each in text}
        found -= self.drawing.sent
        for who, words in self.mine.private.items():
            found |= {each for each in words if who != caller and each in text}
        assert not found, f"{what} answers {sorted(found)}: {text[:2_000]}"

    async def unchanged(self, what: str, name: str = "") -> None:
        """Raises: AssertionError where a row of theirs is another, or gone, or new."""
        now = await self.rows()
        for table, rows in self.before.items():
            changed = sorted(key for key, value in rows.items() if now[table].get(key) != value)
            new = sorted(now[table].keys() - rows.keys())
            assert not changed, f"{what} changed {table}: {changed}"
            assert not new or table in BY_DESIGN.get(name, ()), f"{what} added to {table}: {new}"
        self.before = now

    def options(self, operation: Operation) -> dict[str, Any]:
        """What a call of an operation carries beside its path."""
        given: dict[str, Any] = {"headers": {}}
        if operation.idempotent:
            given["headers"]["Idempotency-Key"] = self.rng.choice([REPEATED, uuid.uuid4().hex])
        if operation.etag and operation.method != "GET" and self.rng.random() < 0.3:
            given["headers"] |= PEER
        if operation.query is not None:
            given["params"] = self.drawing.query(operation)
            if operation.name in self.confirmed and self.rng.random() < 0.5:
                given["params"]["confirm"] = self.confirmed[operation.name]
        if operation.accepts == FORM:
            given["data"] = {name: str(value) for name, value in self.drawing.body(operation).items()}
        elif operation.body is not None:
            given["json"] = self.special(operation) or self.drawing.body(operation)
        elif not operation.takes_json and operation.accepts == "application/octet-stream":
            given["data"] = b"bytes"
        return given

    @property
    def confirmed(self) -> dict[str, str]:
        """What erases something of the caller's own: nothing of theirs may go with it."""
        mine = self.mine
        return {
            "erase_household": mine.household,
            "erase_me": mine.accounts["owner"],
            "erase_device": mine.one("devices"),
        }

    def special(self, operation: Operation) -> Any:
        """Bodies that take more than luck to get anywhere."""
        sent = self.drawing.sent
        if operation.name == "create_partnership":
            sent |= {self.theirs.brand} | self.theirs.assistant
            return {"partner": self.theirs.brand, "products": [self.mine.ids["products"][0]]}
        if operation.name == "create_rollout":
            sent.add(self.theirs.devices["idle"])
            return {"release": self.mine.ids["releases"][0], "query": f"id = '{self.theirs.devices['idle']}'"}
        if operation.name == "create_release":
            sent.add(self.theirs.ids["product-names"][0])
            product = self.rng.choice((self.mine, self.theirs)).ids["product-names"][0]
            content = self.rng.choice((*self.mine.contents, *self.theirs.contents))
            return signed_release(self.mine, f"9.{self.rng.randint(0, 99_999)}.0", content, product)
        if operation.name == "provision":
            group, serial = self.theirs.ids["enrolment-groups"][0], self.theirs.ids["serials"][0]
            sent.update({group, serial})
            proof = symmetric_proof(derived_key(self.mine.group_key, serial), group, serial, "c")
            return {"group": group, "serial": serial, "challenge": "c", "proof": base64.b64encode(proof).decode()}
        return None


def unpacked(data: bytes) -> bytes:
    """What is in an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def ids_of(path: str, world: World) -> set[str]:
    """The ids of a world that stand in a path."""
    known = {each for ids in world.ids.values() for each in ids}
    return set(path.split("/")) & known


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    quiet = {f"speech.{name}": "none" for name in ("recognizer", "voice", "vad")}
    server = {"server.port": 0, "server.data_dir": tmp_path, "api.requests_per_s": 0, "keys.required": True}
    running = App(load_settings(flags=quiet | server | {"api.sign_up": "open"}))
    await running.start()
    yield running
    await running.close()


@pytest.fixture
async def prober(app: App) -> AsyncIterator[Prober]:
    async with aiohttp.ClientSession() as http:
        yield await Prober.on(app, http)


def foreign_paths(prober: Prober, operation: Operation) -> list[str]:
    """The path with ids of theirs: throughout, within what is the caller's, and the other way round."""
    mine, theirs = prober.mine, prober.theirs
    paths = [theirs.filled(operation.path), mine.filled(operation.path, theirs, outer=False)]
    paths += [mine.filled(operation.path, theirs, outer=True)]
    return [path for path in dict.fromkeys(paths) if ids_of(path, theirs) - SHARED - ids_of(path, mine)]


async def test_nothing_crosses_from_one_world_into_another(prober: Prober) -> None:
    """The order: what the callers have by themselves, then their neighbours', then ids of theirs in bodies."""
    empty = {table.name for table in TABLES} - {name for name, rows in prober.before.items() if rows}
    assert empty == OF_NOBODY, "every table has rows of theirs, so that it would show if one changed"
    reads = [each for each in OPERATIONS if each.method == "GET"]
    await read_ones_own(prober, reads)
    await follow_changes(prober)
    await reach_for_others(prober)
    await borrow_devices(prober)
    for _ in range(ROUNDS):
        await write_others_ids(prober, [each for each in OPERATIONS if not ends(each)])
    await read_ones_own(prober, reads)
    await write_others_ids(prober, sorted(filter(ends, OPERATIONS), key=in_order))
    assert set(prober.asked) == {each.name for each in OPERATIONS}
    assert sum(prober.granted.values()) > 500


def ends(operation: Operation) -> bool:
    return operation.name in LAST or ENDING.match(operation.name) is not None


def in_order(operation: Operation) -> tuple[int, int]:
    last = LAST.index(operation.name) if operation.name in LAST else -1
    return last, -operation.path.count("/")


async def read_ones_own(prober: Prober, reads: Iterable[Operation]) -> None:
    for operation in reads:
        for caller in CALLERS:
            await prober.call(operation, prober.mine.filled(operation.path), caller)
    await prober.unchanged("reading one's own")


FOLLOWS_S = 60.0
"""How long a change may take to reach a stream on a busy machine."""


async def follow_changes(prober: Prober) -> None:
    """The stream of changes, from its beginning and while both worlds go on."""
    for caller, path in (
        ("admin", f"/brands/{prober.mine.brand}/changes"),
        ("owner", f"/households/{prober.mine.household}/changes"),
    ):
        headers = {"Authorization": f"Bearer {prober.mine.tokens[caller]}", "Accept": "text/event-stream"}
        async with prober.api.http.get(f"{prober.api.url}/api/v1{path}", headers=headers) as stream:
            for world in (prober.theirs, prober.mine):
                room = {"name": world.word("room")}
                home, owner = f"/households/{world.household}", world.tokens["owner"]
                made = {"owner": await prober.api.done("POST", f"{home}/rooms", room, token=owner)}
                product = {"name": world.word("product"), "display_name": world.word("shown"), "kind": "speaker"}
                made["admin"] = await prober.api.done(
                    "POST", f"/brands/{world.brand}/products", product, token=world.tokens["admin"]
                )
            heard = b""
            async with asyncio.timeout(FOLLOWS_S):
                while made[caller]["id"].encode() not in heard:
                    heard += await stream.content.readany()
        prober.look(heard, caller, f"the stream {path}")
        assert caller == "owner" or made["owner"]["id"].encode() not in heard, "a maker sees what people do at home"
    prober.before = await prober.rows()


async def borrow_devices(prober: Prober) -> None:
    """Of a device that is lent to it, a partner sees that it is there and whose: nothing else of it or of others."""
    mine, theirs, api = prober.mine, prober.theirs, prober.api
    lending = f"/brands/{theirs.brand}/partnerships"
    product = theirs.ids["products"][0]
    body = {"partner": mine.brand, "products": [product]}
    lent = await api.done("POST", lending, body, token=theirs.tokens["admin"])
    admin = mine.tokens["admin"]
    seen = (await api.done("GET", f"/brands/{mine.brand}/lent-devices", token=admin))["data"]
    wanted = {theirs.devices[name] for name in ("claimed", "idle", "enrolled")}
    assert {each["id"] for each in seen} == wanted
    assert all(each.keys() == {"id", "brand", "product", "online"} for each in seen)
    assert theirs.mark not in str([each | {"product": ""} for each in seen])
    for brand in (mine.brand, theirs.brand):
        for rest in ("", "/twin", "/commands/x", "/telemetry", "/updates"):
            path = f"/brands/{brand}/devices/{theirs.devices['claimed']}{rest}"
            status, answer = await api.ask("GET", path, token=admin)
            assert status == 404 or not answer["data"], path
    await api.done("DELETE", f"{lending}/{lent['id']}", token=theirs.tokens["admin"])
    assert (await api.done("GET", f"/brands/{mine.brand}/lent-devices", token=admin))["data"] == []
    prober.before = await prober.rows()
    prober.drawing.sent |= {lent["id"]}


async def reach_for_others(prober: Prober) -> None:
    for operation in OPERATIONS:
        for path in foreign_paths(prober, operation):
            prober.drawing.sent |= ids_of(path, prober.theirs)
            for caller in CALLERS:
                await reach_one(prober, operation, path, caller)
        await prober.unchanged(f"{operation.name} with ids of theirs in its path")


async def reach_one(prober: Prober, operation: Operation, path: str, caller: str) -> None:
    """What is another's is answered as what there is not, so that nobody learns what there is."""
    options = prober.options(operation)
    foreign = await prober.call(operation, path, caller, **options)
    if options["headers"].get("Idempotency-Key") == REPEATED:
        return
    if operation.idempotent:
        options["headers"]["Idempotency-Key"] = uuid.uuid4().hex
    nowhere = path
    for each in ids_of(path, prober.theirs) - SHARED:
        nowhere = nowhere.replace(each, hashlib.sha256(each.encode()).hexdigest() if len(each) == 64 else unknown(each))
    unknown_answer = await prober.call(operation, nowhere, caller, **options)
    assert foreign == unknown_answer, f"{caller} tells {path} from {nowhere} by {operation.method} {options}"


def unknown(id: str) -> str:
    """An id of nothing."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, id))


async def write_others_ids(prober: Prober, operations: Sequence[Operation]) -> None:
    for operation in operations:
        for caller in CALLERS:
            await renew(prober, caller, operation)
            await prober.call(operation, prober.mine.filled(operation.path), caller, **prober.options(operation))
        await prober.unchanged(f"{operation.name} with ids of theirs in its body", operation.name)


async def renew(prober: Prober, caller: str, operation: Operation) -> None:
    """Sign somebody in again whose session an operation before ended."""
    if operation.name in LAST and caller in PEOPLE:
        status, _ = await prober.api.ask("GET", "/me", token=prober.mine.tokens[caller])
        if status == 401:
            await sign_in(prober.api, prober.mine, caller)
