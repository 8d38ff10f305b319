"""The routes of devices: behind the key, with what people may see, and with clear refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from engines import KEY, Site, make_site

from entendre.core.device import DeviceIdentity, Refusal, Refused, Unbound
from entendre.core.errors import InvalidInputError
from entendre.store import Database, Devices
from entendre.store.devices import MAX_WRONG_CODES
from entendre.system import SystemClock

BOX = DeviceIdentity("02:11:22:33:44:55", "a-client", board="esp-box-3", firmware="2.4.2")


def room_named(name: str) -> str:
    if name.lower() != "kitchen":
        raise InvalidInputError("The home has no such room. Its rooms are: kitchen.")
    return "kitchen"


@pytest.fixture
async def devices(tmp_path: Path) -> AsyncIterator[Devices]:
    database = Database(tmp_path / "entendre.db")
    yield Devices(database, SystemClock())
    await database.close()


@pytest.fixture
async def site(devices: Devices) -> AsyncIterator[Site]:
    made = await make_site(devices=devices, room_named=room_named)
    yield made
    await made.close()


async def ask(site: Site, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    async with site.client.request(method, f"{site.address}{path}", json=body) as answer:
        return answer.status, await answer.json()


async def code_of(devices: Devices, identity: DeviceIdentity = BOX) -> str:
    shown = await devices.announce(identity, "192.0.2.1")
    assert isinstance(shown, Unbound)
    return shown.code


async def test_a_device_is_bound_changed_and_forgotten(site: Site, devices: Devices) -> None:
    code = await code_of(devices)
    status, listed = await ask(site, "GET", "/v1/devices")
    assert (status, listed["data"], len(listed["waiting"])) == (200, [], 1)
    assert code not in str(listed)
    body = {"code": code, "name": "Box", "room": "Kitchen", "language": "de"}
    status, bound = await ask(site, "POST", "/v1/devices", body)
    assert status == 201
    assert (bound["name"], bound["room"], bound["language"], bound["bound_by"]) == ("Box", "kitchen", "de", "http")
    assert "a-client" not in str(bound)
    path = f"/v1/devices/{bound['id']}"
    status, changed = await ask(site, "PATCH", path, {"name": "Radio", "language": "", "room": ""})
    assert (status, changed["name"], changed["language"], changed["room"]) == (200, "Radio", None, None)
    status, revoked = await ask(site, "PATCH", path, {"revoked": True})
    assert revoked["revoked_at_s"] is not None
    assert await devices.announce(BOX, "192.0.2.1") == Refused(Refusal.REVOKED)
    status, gone = await ask(site, "DELETE", path)
    assert (status, gone["deleted"]) == (200, True)
    assert (await ask(site, "GET", "/v1/devices"))[1]["data"] == []
    assert (await ask(site, "DELETE", path))[0] == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "missing_required_parameter"),
        ({"code": 482913}, 400, "invalid_type"),
        ({"code": "000000", "room": "dungeon"}, 400, "invalid_input"),
        ({"code": "000000", "language": "no tag"}, 400, "invalid_input"),
        ({"code": "not six digits"}, 400, "invalid_input"),
        ({"code": "1" * 33}, 400, "string_above_max_length"),
        ({"code": "000000", "name": "x" * 101}, 400, "string_above_max_length"),
    ],
)
async def test_what_cannot_be_bound_is_refused(site: Site, body: dict[str, Any], status: int, code: str) -> None:
    answer = await ask(site, "POST", "/v1/devices", body)
    assert (answer[0], answer[1]["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    "body", [{"hardware": "x"}, {"revoked": False}, {"room": "dungeon"}, {"name": "\n"}, {"name": 1}]
)
async def test_what_cannot_be_changed_is_refused(site: Site, devices: Devices, body: dict[str, Any]) -> None:
    record = await devices.bind(await code_of(devices), by="cli", guesser="cli")
    status, _ = await ask(site, "PATCH", f"/v1/devices/{record.id}", body)
    assert status == 400
    assert await devices.devices() == (record,)


async def test_guessing_codes_ends_in_429(site: Site, devices: Devices) -> None:
    right = await code_of(devices)
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    statuses = [(await ask(site, "POST", "/v1/devices", {"code": wrong}))[0] for _ in range(MAX_WRONG_CODES)]
    assert statuses == [400] * MAX_WRONG_CODES
    assert (await ask(site, "POST", "/v1/devices", {"code": right}))[0] == 429


async def test_devices_are_behind_the_key(devices: Devices) -> None:
    site = await make_site(devices=devices, require_key=True)
    try:
        for method, path in (("GET", ""), ("POST", ""), ("PATCH", "/x"), ("DELETE", "/x")):
            assert (await ask(site, method, f"/v1/devices{path}", {}))[0] == 401
        headers = {"Authorization": f"Bearer {KEY}"}
        async with site.client.get(f"{site.address}/v1/devices", headers=headers) as answer:
            assert answer.status == 200
    finally:
        await site.close()


async def test_a_server_without_devices_says_so() -> None:
    site = await make_site()
    try:
        assert (await ask(site, "GET", "/v1/devices"))[0] == 503
    finally:
        await site.close()
