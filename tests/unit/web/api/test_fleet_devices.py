"""Devices, twins and enrolment over HTTP: what staff does, what a device does, and what neither may."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from apisite import ApiSite, serve_api

from entendre.core.roles import Role
from entendre.fleet.enrolment import derived_key, symmetric_proof
from entendre.ports.access import KeyRecord
from entendre.ports.brands import NewProduct
from entendre.store.fleet.brands import BrandStore
from entendre.store.fleet.credentials import DeviceTokens
from entendre.store.fleet.devices import FleetDevices
from entendre.store.fleet.directory import FleetDirectory
from entendre.store.fleet.enrolment import FleetEnrolment, Regions
from entendre.store.fleet.products import ProductStore
from entendre.store.fleet.twins import FleetTwins
from entendre.system import SystemClock
from entendre.web.api.limits import Rates

ROLES: dict[str, Role] = {"ent_viewer": "viewer", "ent_support": "support", "ent_engineer": "engineer"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ApiSite]:
    made: dict[str, str] = {}

    async def key(token: str) -> KeyRecord | None:
        role, _, brand = token.partition("@")
        if role not in ROLES or brand not in made:
            return None
        return KeyRecord(role, role, 0.0, brand=made[brand], role=ROLES[role])

    site = await serve_api(tmp_path, verify_key=key)
    given: tuple[Any, ...] = (site.database, SystemClock(), "home")
    services, brands, products = site.services, BrandStore(*given), ProductStore(*given)
    for name in ("acme", "umbra"):
        made[name] = (await brands.create(name, name.title(), by="cli")).id
        await products.create(made[name], NewProduct("pod", "Pod", "speaker"), by="cli")
    tokens = DeviceTokens(*given)
    regions = Regions("home", "https://home.example.org", {"br": "https://br.example.org"})
    directory = FleetDirectory(*given, key="shared")
    services.brand_named, services.brands = brands.named, brands
    services.device_login, services.device_tokens = tokens.device_login, tokens
    services.fleet_devices, services.twins = FleetDevices(*given), FleetTwins(*given)
    services.enrolment, services.directory = FleetEnrolment(given[0], given[1], regions, directory), directory
    services.region_endpoint = regions.endpoint_of
    yield site
    await site.close()


async def registered(site: ApiSite, serial: str = "SN-1", **fields: Any) -> dict[str, Any]:
    """A device of acme, as staff made it."""
    body = {"product": "pod", "serial": serial, **fields}
    status, device, _ = await site.ask("POST", "/brands/acme/devices", body, token="ent_engineer@acme")
    assert status == 201, device
    return dict(device)


async def enrolled(site: ApiSite, group: str, serial: str, key: bytes, **fields: Any) -> tuple[int, Any]:
    """Status and answer of a device that provisions itself."""
    status, asked, _ = await site.ask("POST", "/provision/challenge", {"group": group, "serial": serial})
    assert status == 200, asked
    proof = symmetric_proof(derived_key(key, serial), group, serial, asked["challenge"])
    body = {"group": group, "serial": serial, "challenge": asked["challenge"], **fields}
    status, answer, _ = await site.ask("POST", "/provision", body | {"proof": base64.b64encode(proof).decode()})
    return status, answer


async def test_staff_finds_changes_and_ends_devices(site: ApiSite) -> None:
    one = await registered(site, country="br", language="pt-BR")
    await registered(site, "SN-2")
    viewer, engineer = "ent_viewer@acme", "ent_engineer@acme"
    status, page, _ = await site.ask(
        "GET", "/brands/acme/devices", token=viewer, params={"query": "country = 'BR'", "count": "true"}
    )
    assert (status, [each["serial"] for each in page["data"]], page["count"], page["next"]) == (200, ["SN-1"], 1, None)
    status, page, _ = await site.ask("GET", "/brands/acme/devices", token=viewer, params={"limit": 1})
    assert page["count"] is None
    status, rest, _ = await site.ask("GET", "/brands/acme/devices", token=viewer, params={"after": page["next"]})
    assert [each["serial"] for each in page["data"] + rest["data"]] == ["SN-1", "SN-2"]
    path = f"/brands/acme/devices/{one['id']}"
    status, _, headers = await site.ask("GET", path, token=viewer)
    etag = {"If-Match": headers["ETag"]}
    body = {"name": "Lobby", "language": None}
    status, changed, _ = await site.ask("PATCH", path, body, token=engineer, headers=etag)
    assert (status, changed["name"], changed["language"], changed["country"]) == (200, "Lobby", None, "BR")
    status, error, _ = await site.ask("DELETE", path, token=engineer, headers=etag)
    assert (status, error["error"]["code"]) == (412, "precondition_failed")
    status, revoked, _ = await site.ask("POST", f"{path}/revoke", token=engineer)
    assert (status, revoked["state"]) == (200, "revoked")
    assert (await site.ask("DELETE", path, token=engineer))[0] == 204
    assert (await site.ask("GET", path, token=engineer))[0] == 404


async def test_a_query_that_is_wrong_says_where(site: ApiSite) -> None:
    status, error, _ = await site.ask(
        "GET", "/brands/acme/devices", token="ent_viewer@acme", params={"query": "countri = 'BR'"}
    )
    assert (status, error["error"]["code"]) == (400, "invalid_input")
    assert "at character 1" in error["error"]["message"]


async def test_roles_are_held(site: ApiSite) -> None:
    one = await registered(site)
    path = f"/brands/acme/devices/{one['id']}"
    for method, where, body in (
        ("PATCH", path, {"name": "x"}),
        ("DELETE", path, None),
        ("POST", f"{path}/revoke", None),
        ("POST", f"{path}/tokens", None),
        ("PATCH", f"{path}/twin/desired", {}),
        ("POST", "/brands/acme/devices", {"product": "pod", "serial": "SN-9"}),
        ("GET", "/brands/acme/enrolment-groups", None),
    ):
        assert (await site.ask(method, where, body, token="ent_support@acme"))[0] == 403, where
        assert (await site.ask(method, where, body, token="ent_engineer@umbra"))[0] == 404, where
    theirs = path.replace("acme", "umbra")
    assert (await site.ask("GET", theirs, token="ent_engineer@umbra"))[0] == 404
    assert (await site.ask("GET", f"{theirs}/twin", token="ent_engineer@umbra"))[0] == 404


async def test_a_twin_is_changed_under_conditions(site: ApiSite) -> None:
    await registered(site)
    path, engineer = "/brands/acme/devices/SN-1/twin", "ent_engineer@acme"
    status, twin, headers = await site.ask("GET", path, token=engineer)
    assert (status, twin["tags"], twin["desired_version"]) == (200, {}, 1)
    etag = {"If-Match": headers["ETag"]}
    status, change, _ = await site.ask("PATCH", f"{path}/tags", {"ring": "beta"}, token=engineer, headers=etag)
    assert (status, change["version"], change["document"]) == (200, 2, {"ring": "beta"})
    status, error, _ = await site.ask("PATCH", f"{path}/desired", {"v": 1}, token=engineer, headers=etag)
    assert (status, error["error"]["code"]) == (412, "precondition_failed")
    assert (await site.ask("PUT", f"{path}/desired", {"v": {"w": 1}}, token=engineer))[0] == 200
    for body, code in (({"a.b": 1}, 400), ({"a": "x" * 5_000}, 400), ({str(n): "x" * 4_000 for n in range(9)}, 413)):
        assert (await site.ask("PATCH", f"{path}/desired", body, token=engineer))[0] == code
    assert (await site.ask("PATCH", f"{path}/desired", [1], token=engineer))[0] == 400
    status, page, _ = await site.ask(
        "GET", "/brands/acme/devices", token=engineer, params={"query": "tags.ring = 'beta'"}
    )
    assert [each["serial"] for each in page["data"]] == ["SN-1"]


async def test_a_device_comes_in_and_keeps_its_twin(site: ApiSite) -> None:
    body = {"name": "batch 1", "product": "pod", "kind": "symmetric", "regions": {"BR": "br"}}
    status, made, _ = await site.ask("POST", "/brands/acme/enrolment-groups", body, token="ent_engineer@acme")
    assert status == 201
    group, key = made["group"]["id"], base64.b64decode(made["primary_key"])
    status, found = await enrolled(site, group, "SN-7", key, country="DE", firmware="1.0.0")
    assert (status, found["region"], found["brand"], found["product"]) == (200, "home", "acme", "pod")
    device = found["token"]
    status, own, _ = await site.ask("GET", "/device", token=device)
    assert (status, own["id"], own["serial"], own["firmware"]) == (200, found["device"], "SN-7", "1.0.0")
    assert own["assistant"]["profile"]["name"] == "Acme"
    path = "/brands/acme/devices/SN-7/twin"
    await site.ask("PATCH", f"{path}/desired", {"volume": 3}, token="ent_engineer@acme")
    await site.ask("PATCH", f"{path}/tags", {"secret": "tag"}, token="ent_engineer@acme")
    status, twin, _ = await site.ask("GET", "/device/twin", token=device)
    assert (status, twin) == (
        200,
        {"desired": {"volume": 3}, "desired_version": 2, "reported": {}, "reported_version": 1},
    )
    status, change, _ = await site.ask("PATCH", "/device/twin/reported", {"volume": 3}, token=device)
    assert (status, change["version"]) == (200, 2)
    status, _, _ = await site.ask(
        "PUT", "/device/twin/reported", {"a": 1}, token=device, headers={"If-Match": '"1.1.1"'}
    )
    assert status == 412
    status, rotated, _ = await site.ask("POST", "/device/token", token=device)
    assert status == 201
    assert (await site.ask("GET", "/device", token=rotated["token"]))[0] == 200
    status, sent = await enrolled(site, group, "SN-8", key, country="BR")
    assert (status, sent["region"], sent["endpoint"], sent["device"], sent["token"]) == (
        *(200, "br", "https://br.example.org"),
        *(None, None),
    )
    hashed = await site.services.directory.serial_hash(made["group"]["brand"], "SN-8")  # type: ignore[union-attr]
    status, entry, _ = await site.ask("GET", f"/directory/{hashed}")
    assert (status, entry) == (200, {"region": "br", "endpoint": "https://br.example.org"})
    assert (await site.ask("GET", f"/directory/{hashed}", token="ent_engineer@acme"))[0] == 403
    for where in ("/brands/acme/devices", "/brands/acme"):
        assert (await site.ask("GET", where, token=device))[0] == 404


async def test_keys_of_a_group_are_shown_once(site: ApiSite) -> None:
    engineer, path = "ent_engineer@acme", "/brands/acme/enrolment-groups"
    body = {"name": "batch 1", "product": "pod", "kind": "symmetric", "max_devices": 5}
    status, made, _ = await site.ask("POST", path, body, token=engineer)
    one = f"{path}/{made['group']['id']}"
    status, shown, headers = await site.ask("GET", one, token=engineer)
    assert status == 200
    assert not {"primary_key", "secondary_key"} & set(shown)
    status, changed, _ = await site.ask(
        "PATCH", one, {"enabled": False, "max_devices": None}, token=engineer, headers={"If-Match": headers["ETag"]}
    )
    assert (status, changed["enabled"], changed["max_devices"]) == (200, False, None)
    status, rotated, _ = await site.ask("POST", f"{one}/rotate", {"key": "secondary"}, token=engineer)
    assert (status, rotated["primary_key"]) == (200, None)
    assert rotated["secondary_key"] not in (None, made["secondary_key"])
    status, answer = await enrolled(site, made["group"]["id"], "SN-1", base64.b64decode(made["primary_key"]))
    assert (status, answer["error"]["code"]) == (403, "forbidden")
    assert (await site.ask("POST", path, body, token=engineer))[0] == 409


async def test_strangers_who_try_too_often_wait(site: ApiSite) -> None:
    clock = SystemClock()
    site.services.provisioning_rates = (Rates(0.01, 6, clock.monotonic), Rates(0.01, 4, clock.monotonic))
    body = {"group": "g", "serial": "SN-1"}
    found = [await site.ask("POST", "/provision/challenge", body) for _ in range(5)]
    assert [each[0] for each in found] == [200, 200, 200, 200, 429]
    assert int(found[-1][2]["Retry-After"]) >= 1
    other = [(await site.ask("POST", "/provision/challenge", body | {"serial": "SN-2"}))[0] for _ in range(2)]
    assert other == [200, 429]
    wrong = {"group": "g", "serial": "SN-3", "challenge": "x", "proof": "AAAA"}
    site.services.provisioning_rates = None
    assert (await site.ask("POST", "/provision", wrong))[0] == 401
    assert (await site.ask("POST", "/provision", wrong | {"proof": "?"}))[0] == 400
    assert (await site.ask("POST", "/provision", wrong | {"certificates": "x" * 40_000}))[0] == 400
