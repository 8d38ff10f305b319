"""Households over HTTP: every role may what its role may, and nobody sees another household."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from apisite import ApiSite, serve_api

from entendre.fleet.access import Principal
from entendre.ports.accounts import AccountRecord
from entendre.store.connection import Connection
from entendre.store.people.claims import ClaimStore
from entendre.store.people.consents import ConsentStore
from entendre.store.people.erasure import ErasureStore
from entendre.store.people.export import ExportStore
from entendre.store.people.history import HistoryStore
from entendre.store.people.households import HouseholdStore
from entendre.store.people.members import MemberStore
from entendre.store.people.notes import NoteStore
from entendre.store.people.retention import RetentionStore
from entendre.store.people.rooms import RoomStore
from entendre.store.people.routines import RoutineStore
from entendre.store.people.things import ThingStore
from entendre.system import SystemClock
from entendre.web.api.routes import OPERATIONS

LIGHT = {"type": "set_trait", "appliance": "lamp", "trait": "on", "value": False}
PEOPLE = ("ann", "bob", "kid", "gus", "eve")
AGREED = {"purpose": "history", "given": True, "wording": "v1", "language": "en"}


class Named:
    """Accounts whose id is their login."""

    async def account(self, named: str) -> AccountRecord:
        return AccountRecord(named, named, named.title(), None, None, 1.0, None, 1)


def token(who: str) -> str:
    return f"enta_{who}"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ApiSite]:
    async def person(given: str) -> Principal | None:
        return Principal("person", given.removeprefix("enta_"))

    async def device(given: str) -> Principal | None:
        return Principal("device", given.removeprefix("entd_"), brand="home")

    site = await serve_api(tmp_path, OPERATIONS, person_login=person, device_login=device, accounts=Named())
    given: tuple[Any, ...] = (site.database, SystemClock(), "home")
    services, households = site.services, HouseholdStore(*given)
    services.households, services.household_named, services.place_in = households, households.named, households.place_of
    services.members, services.rooms = MemberStore(*given), RoomStore(*given)
    services.house_devices = ClaimStore(*given)
    services.things, services.notes, services.routines = ThingStore(*given), NoteStore(*given), RoutineStore(*given)
    services.history, services.consents, services.retention = (
        HistoryStore(*given),
        ConsentStore(*given),
        RetentionStore(*given),
    )
    services.export, services.erasure = ExportStore(*given), ErasureStore(*given, folder=tmp_path)

    def accounts(connection: Connection) -> None:
        for each in PEOPLE:
            columns = "region, id, login, display_name, created_at_s, version"
            sql = f"INSERT INTO accounts ({columns}) VALUES ('home', ?, ?, ?, 1.0, 1)"
            connection.execute(sql, (each, each, each))

    await site.database.write(accounts)
    yield site
    await site.close()


async def made(site: ApiSite, who: str, name: str = "Home") -> str:
    status, home, headers = await site.ask("POST", "/households", {"name": name}, token=token(who))
    assert (status, headers["ETag"]) == (201, '"1"')
    return str(home["id"])


async def joined(site: ApiSite, home: str, who: str, role: str, owner: str = "ann") -> str:
    until_s = {"until_s": time.time() + 3_600} if role == "guest" else {}
    path = f"/households/{home}/invitations"
    status, code, _ = await site.ask("POST", path, {"role": role, **until_s}, token=token(owner))
    assert status == 201
    status, member, _ = await site.ask("POST", "/me/households", {"code": code["code"]}, token=token(who))
    assert (status, member["name"], member["role"]) == (201, who.title(), role)
    return str(member["id"])


async def test_a_household_lives(site: ApiSite) -> None:
    home = await made(site, "ann")
    one = f"/households/{home}"
    ann: Mapping[str, Any] = {"token": token("ann")}
    _, mine, _ = await site.ask("GET", "/me/households", **ann)
    assert [each["id"] for each in mine["data"]] == [home]
    patch = {"country": "IN", "retention": {"history": 30}}
    status, changed, _ = await site.ask("PATCH", one, patch, headers={"If-Match": '"1"'}, **ann)
    assert (status, changed["country"], changed["retention"]["history"]) == (200, "IN", 30.0)
    assert (await site.ask("PATCH", one, patch, headers={"If-Match": '"1"'}, **ann))[0] == 412
    status, room, _ = await site.ask("POST", f"{one}/rooms", {"name": "Kitchen", "names": {"hi": ["रसोई"]}}, **ann)
    assert status == 201
    assert (await site.ask("POST", f"{one}/rooms", {"name": "kitchen"}, **ann))[0] == 409
    assert (await site.ask("PATCH", f"{one}/rooms/{room['id']}", {"name": "Cook"}, **ann))[1]["name"] == "Cook"
    status, note, _ = await site.ask("POST", f"{one}/notes", {"text": "Bins on Monday", "private": True}, **ann)
    assert (status, note["account"]) == (201, "ann")
    assert (await site.ask("PATCH", f"{one}/notes/{note['id']}", {"text": "Later"}, **ann))[1]["text"] == "Later"
    routine = {"name": "Night", "trigger": {"say": "good night"}, "actions": [LIGHT]}
    status, kept, _ = await site.ask("POST", f"{one}/routines", routine, **ann)
    assert (status, kept["trigger"], kept["enabled"]) == (201, {"say": "good night"}, True)
    assert (await site.ask("POST", f"{one}/routines", routine | {"actions": [{"type": "x"}]}, **ann))[0] == 400
    items = f"{one}/lists/shopping/items"
    status, shopping, _ = await site.ask("POST", items, {"text": "milk", "quantity": "2"}, **ann)
    assert (status, [each["text"] for each in shopping["items"]]) == (201, ["milk"])
    item = shopping["items"][0]["id"]
    assert (await site.ask("PATCH", f"{items}/{item}", {"done": True}, **ann))[1]["items"][0]["done"]
    assert (await site.ask("DELETE", f"{items}/{item}", **ann))[1]["items"] == []
    status, entry, _ = await site.ask("POST", f"{one}/consents", AGREED, **ann)
    assert (status, entry["by"]) == (201, "person:ann")
    _, ledger, _ = await site.ask("GET", f"{one}/consents", **ann)
    assert (ledger["now"]["history"], ledger["now"]["marketing"], ledger["consent_age"]) == (True, False, 18)
    status, erased, _ = await site.ask("DELETE", f"{one}?confirm={home}", **ann)
    assert (status, erased["kind"], erased["subject"]) == (200, "household", home)
    assert (await site.ask("GET", one, **ann))[0] == 404


async def test_a_device_comes_home_by_its_code(site: ApiSite) -> None:
    home = await made(site, "ann")

    def registered(connection: Connection) -> None:
        columns = (
            "region, id, brand, product, kind, serial, name, state, firmware, online, created_at_s, created_by,"
            " changed_at_s, changed_by, version"
        )
        values = "'home', 'd1', 'home', 'p', 'speaker', 'S1', 'S1', 'active', '1', 0, 1.0, 'cli', 1.0, 'cli', 1"
        connection.execute(f"INSERT INTO fleet_devices ({columns}) VALUES ({values})")

    await site.database.write(registered)
    status, code, _ = await site.ask("POST", "/device/claim-code", {"spoken": True}, token="entd_d1")
    assert status == 201
    devices = f"/households/{home}/devices"
    status, device, _ = await site.ask("POST", devices, {"code": code["code"], "name": "Den"}, token=token("ann"))
    assert (status, device["id"], device["name"]) == (201, "d1", "Den")
    assert (await site.ask("POST", "/device/claim-code", {}, token="entd_d1"))[0] == 409
    assert (await site.ask("DELETE", f"{devices}/d1", token=token("ann")))[0] == 204
    assert (await site.ask("GET", devices, token=token("ann")))[1]["data"] == []


async def test_each_role_may_what_it_may(site: ApiSite) -> None:
    home = await made(site, "ann")
    child = await joined(site, home, "kid", "child")
    for who, role in (("bob", "adult"), ("gus", "guest")):
        await joined(site, home, who, role)
    one = f"/households/{home}"
    refusal = AGREED | {"given": False}
    expected = {
        ("GET", one): (200, 200, 200, 403, 404),
        ("PATCH", one): (200, 200, 403, 403, 404),
        ("GET", f"{one}/notes"): (200, 200, 200, 403, 404),
        ("POST", f"{one}/notes"): (201, 201, 403, 403, 404),
        ("POST", f"{one}/invitations"): (201, 403, 403, 403, 404),
        ("POST", f"{one}/members"): (201, 403, 403, 403, 404),
        ("POST", f"{one}/consents"): (201, 201, 403, 403, 404),
        ("POST", f"{one}/members/{child}/consents"): (201, 201, 403, 403, 404),
        ("GET", f"{one}/export"): (200, 403, 403, 403, 404),
        ("DELETE", f"{one}?confirm={home}"): (200, 403, 403, 403, 404),
    }
    bodies: dict[str, Any] = {"": {"name": "x"}, "notes": {"text": "x"}, "invitations": {"role": "adult"}}
    bodies |= {"members": {"name": "Kim"}, "consents": AGREED}
    for who in reversed(PEOPLE):
        for said in (refusal,):
            known = who != "eve"
            assert (await site.ask("POST", f"{one}/consents", said, token=token(who)))[0] == (201 if known else 404)
        for (method, path), statuses in expected.items():
            body = bodies.get(path.removeprefix(one).strip("/").rpartition("/")[2]) if method != "GET" else None
            if method == "DELETE":
                body = None
            headers = {"Authorization": f"Bearer {token(who)}"}
            url = f"http://127.0.0.1:{site.port}/api/v1{path}"
            async with site.client.request(method, url, json=body, headers=headers) as answer:
                assert answer.status == statuses[PEOPLE.index(who)], (who, method, path, await answer.text())


async def test_an_export_is_a_zip_of_json(site: ApiSite) -> None:
    home = await made(site, "ann", "Lighthouse")
    await joined(site, home, "bob", "adult")
    for who, text in (("ann", "Ann's secret"), ("bob", "Bob's secret")):
        note = {"text": text, "private": True}
        assert (await site.ask("POST", f"/households/{home}/notes", note, token=token(who)))[0] == 201
    url = f"http://127.0.0.1:{site.port}/api/v1"
    taken = {}
    for path, who in ((f"/households/{home}/export", "ann"), ("/me/export", "bob")):
        headers = {"Authorization": f"Bearer {token(who)}"}
        async with site.client.get(url + path, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (200, "application/zip")
            archive = zipfile.ZipFile(io.BytesIO(await answer.read()))
        assert archive.testzip() is None
        assert "README.txt" in archive.namelist()
        tables = json.loads(archive.read("tables.json"))
        files = {name.removeprefix("data/").removesuffix(".json") for name in archive.namelist() if "data/" in name}
        assert files <= set(tables)
        taken[who] = {name: json.loads(archive.read(f"data/{name}.json")) for name in files}
    assert [row["text"] for row in taken["ann"]["notes"]] == ["Ann's secret"]
    assert [row["name"] for row in taken["ann"]["households"]] == ["Lighthouse"]
    assert {row["account"] for row in taken["ann"]["members"]} == {"ann", "bob"}
    assert [row["text"] for row in taken["bob"]["notes"]] == ["Bob's secret"]
    assert [row["id"] for row in taken["bob"]["accounts"]] == ["bob"]
    assert [row["account"] for row in taken["bob"]["members"]] == ["bob"]


async def test_an_erasure_asks_for_the_id_once_more(site: ApiSite) -> None:
    home = await made(site, "ann")
    status, error, _ = await site.ask("DELETE", f"/households/{home}?confirm=yes", token=token("ann"))
    assert (status, error["error"]["code"]) == (400, "invalid_input")
    assert (await site.ask("DELETE", "/me?confirm=ann", token=token("ann")))[0] == 200
    assert (await site.ask("GET", f"/households/{home}"))[0] == 404
