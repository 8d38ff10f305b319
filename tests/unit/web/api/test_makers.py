"""Brands behind the API: what their people and programs may do, and that no other brand's key does anything."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from apisite import ApiSite, serve_makers

from entendre.fleet.access import Permission
from entendre.ports.accounts import NewAccount
from entendre.store.fleet.directory import FleetDirectory
from entendre.store.people.oauth import challenge_of
from entendre.system import SystemClock
from entendre.web.api.operation import Operation
from entendre.web.api.routes import OPERATIONS

VERIFIER = "v" * 43


@dataclass
class Makers:
    """Two brands with a product each, and keys."""

    site: ApiSite
    operator: str
    acme: str
    globex: str
    acme_key: str
    globex_key: str

    async def ask(self, method: str, path: str, body: Any = None, *, token: str | None = None, **more: Any) -> Any:
        return await self.site.ask(method, path, body, token=token or self.operator, **more)

    async def rows(self, brand: str) -> dict[str, list[Any]]:
        """Every row that is of a brand."""

        def work(connection: Any) -> dict[str, list[Any]]:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = {}
            for table in tables:
                columns = [row[1] for row in connection.execute(f"SELECT * FROM pragma_table_info('{table}')")]
                if "brand" in columns:
                    sql = f"SELECT * FROM {table} WHERE brand = ?"
                    found[table] = sorted(connection.execute(sql, (brand,)).fetchall(), key=repr)
            return found

        return await self.site.database.read(work)


@pytest.fixture
async def makers(tmp_path: Path) -> AsyncIterator[Makers]:
    site = await serve_makers(tmp_path)
    keys = site.services.keys
    assert keys is not None
    operator, _ = await keys.add("operator")
    made = {}
    for name in ("acme", "globex"):
        _, brand, _ = await site.ask("POST", "/brands", {"name": name, "display_name": name}, token=operator)
        body = {"name": "one", "display_name": "One", "kind": "speaker"}
        assert (await site.ask("POST", f"/brands/{name}/products", body, token=operator))[0] == 201
        token, _ = await keys.add(f"{name} admin", brand=brand["id"], role="admin")
        made[name] = (brand["id"], token)
    (acme, acme_key), (globex, globex_key) = made["acme"], made["globex"]
    yield Makers(site, operator, acme, globex, acme_key, globex_key)
    await keys.close()  # type: ignore[attr-defined]
    await site.close()


def filled(operation: Operation, brand: str) -> str:
    path = operation.path.replace("{brand}", brand).replace("{household}", "home")
    return re.sub(r"\{[^}]+\}", "one", path)


async def test_another_brands_key_does_nothing_anywhere(makers: Makers) -> None:
    """Every operation there is: a foreign brand looks as an unknown one does, and nothing of it changes."""
    before = await makers.rows(makers.acme)
    asked = 0
    for operation in OPERATIONS:
        if operation.permission is None:
            continue
        asked += 1
        status, answer, _ = await makers.ask(operation.method, filled(operation, "acme"), token=makers.globex_key)
        scope = operation.permission.value.partition(".")[0]
        expected = 404 if "{brand}" in operation.path or "{household}" in operation.path else 403
        assert status == expected, f"{operation.name}: {status} {answer} ({scope})"
        unknown = await makers.ask(operation.method, filled(operation, "nobody"), token=makers.globex_key)
        assert unknown[:2] == (status, answer), operation.name
    assert asked > 40
    assert await makers.rows(makers.acme) == before


async def test_nobody_and_wrong_keys_are_let_in_nowhere(makers: Makers) -> None:
    for operation in OPERATIONS:
        if operation.permission is None:
            continue
        status, answer, headers = await makers.site.ask(operation.method, filled(operation, "acme"))
        assert (status, answer["error"]["code"]) == (401, "unauthorized"), operation.name
        assert headers["WWW-Authenticate"] == "Bearer"
        wrong = f"ent_{'0' * 32}_{'a' * 43}"
        assert (await makers.site.ask(operation.method, filled(operation, "acme"), token=wrong))[0] == 401


async def test_a_foreign_thing_is_not_reached_through_ones_own_brand(makers: Makers) -> None:
    _, products, _ = await makers.ask("GET", "/brands/acme/products")
    _, keys, _ = await makers.ask("GET", "/brands/acme/keys")
    product, key = products["data"][0]["id"], keys["data"][0]["id"]
    before = await makers.rows(makers.acme)
    for method, path, body in (
        ("GET", f"products/{product}", None),
        ("PATCH", f"products/{product}", {"display_name": "Mine"}),
        ("DELETE", f"products/{product}", None),
        ("GET", f"products/{product}/assistant", None),
        ("DELETE", f"keys/{key}", None),
        ("POST", "partnerships", {"partner": makers.acme, "products": [product]}),
        ("POST", "partnerships", {"partner": "acme"}),
        ("POST", "staff", {"account": "anna@example.org", "login": "anna@example.org", "role": "viewer"}),
    ):
        status, _, _ = await makers.ask(method, f"/brands/globex/{path}", body, token=makers.globex_key)
        assert status == 404, path
    assert await makers.rows(makers.acme) == before


async def test_an_admin_does_what_admins_do(makers: Makers) -> None:
    token = makers.acme_key
    status, made, headers = await makers.ask(
        "POST", "/brands/acme/products", {"name": "two", "display_name": "Two", "kind": "laptop"}, token=token
    )
    assert (status, made["channel"], headers["ETag"]) == (201, "stable", '"1"')
    stale = {"If-Match": '"7"'}
    body = {"channel": "beta"}
    assert (await makers.ask("PATCH", "/brands/acme/products/two", body, token=token, headers=stale))[0] == 412
    assert (await makers.ask("PATCH", "/brands/acme/products/two", body, token=token))[1]["channel"] == "beta"
    assert (await makers.ask("DELETE", "/brands/acme/products/two", token=token))[0] == 204
    assert (await makers.ask("GET", "/brands/acme/products/two", token=token))[0] == 404
    assert (await makers.ask("PATCH", "/brands/acme", {"display_name": "Acme"}, token=token))[0] == 200
    assert (await makers.ask("DELETE", "/brands/acme", token=token))[0] == 403
    _, audit, _ = await makers.ask("GET", "/brands/acme/audit?limit=2", token=token)
    assert [each["act"] for each in audit["data"]] == ["brand.changed", "product.ended"]
    assert all(each["actor"].startswith("key:") for each in audit["data"])
    _, rest, _ = await makers.ask("GET", f"/brands/acme/audit?after={audit['next']}", token=token)
    assert rest["data"][-1]["act"] == "brand.created"
    assert (await makers.ask("GET", "/audit", token=token))[0] == 403
    assert (await makers.ask("GET", "/audit/verify"))[1] == {"intact": True, "first_broken": None}


async def test_a_key_of_a_brand_is_made_used_and_revoked(makers: Makers) -> None:
    status, made, _ = await makers.ask(
        "POST", "/brands/acme/keys", {"name": "ci", "role": "viewer"}, token=makers.acme_key
    )
    assert (status, made["key"]["role"], made["key"]["brand"]) == (201, "viewer", makers.acme)
    assert (await makers.ask("GET", "/brands/acme", token=made["token"]))[0] == 200
    assert (await makers.ask("GET", "/brands/acme/keys", token=made["token"]))[0] == 403
    path = f"/brands/acme/keys/{made['key']['id']}"
    assert (await makers.ask("DELETE", path, token=makers.acme_key))[0] == 204
    assert (await makers.ask("GET", "/brands/acme", token=made["token"]))[0] == 401
    _, listed, _ = await makers.ask("GET", "/brands/acme/keys", token=makers.acme_key)
    assert made["token"] not in str(listed)


async def person(makers: Makers, login: str) -> tuple[str, str]:
    """An account and its access token."""
    accounts, grants = makers.site.services.accounts, makers.site.services.grants
    assert accounts is not None
    assert grants is not None
    account = await accounts.create(NewAccount(login, login.title()), by="operator")
    code = await grants.grant(
        "entendre-cli", account.id, "http://127.0.0.1/callback", challenge_of(VERIFIER), "account"
    )
    tokens = await grants.redeem("entendre-cli", code, "http://127.0.0.1/callback", VERIFIER)
    assert not isinstance(tokens, str)
    return account.id, tokens.access_token


async def test_people_work_for_a_brand_as_long_as_they_have_a_role(makers: Makers) -> None:
    anna, token = await person(makers, "anna")
    assert (await makers.ask("GET", "/brands/acme", token=token))[0] == 404
    for body in ({}, {"login": "bert"}):
        body |= {"account": anna, "role": "viewer"}
        assert (await makers.ask("POST", "/brands/acme/staff", body, token=makers.acme_key))[0] == 404
    body = {"account": anna, "login": "Anna", "role": "viewer"}
    _, added, _ = await makers.ask("POST", "/brands/acme/staff", body, token=makers.acme_key)
    assert (await makers.ask("GET", "/brands/acme", token=token))[0] == 200
    assert (await makers.ask("PATCH", "/brands/acme", {"display_name": "A"}, token=token))[0] == 403
    assert (await makers.ask("GET", "/brands/globex", token=token))[0] == 404
    _, me, _ = await makers.ask("GET", "/me", token=token)
    assert me["brands"] == [{"brand": makers.acme, "role": "viewer"}]
    path = f"/brands/acme/staff/{added['id']}"
    assert (await makers.ask("PATCH", path, {"role": "admin"}, token=makers.acme_key))[0] == 200
    assert (await makers.ask("PATCH", "/brands/acme", {"display_name": "A"}, token=token))[0] == 200
    assert (await makers.ask("DELETE", path, token=makers.acme_key))[0] == 204
    assert (await makers.ask("GET", "/brands/acme", token=token))[0] == 404


async def test_an_assistant_is_lent_and_taken_back(makers: Makers) -> None:
    body = {"partner": makers.globex, "products": ["one"]}
    status, lent, _ = await makers.ask("POST", "/brands/acme/partnerships", body, token=makers.acme_key)
    assert status == 201
    _, whose, _ = await makers.ask("GET", "/brands/acme/products/one/assistant", token=makers.acme_key)
    assert (whose["brand"], whose["lent"]) == (makers.globex, True)
    _, seen, _ = await makers.ask("GET", "/brands/globex/partnerships", token=makers.globex_key)
    assert [each["id"] for each in seen["data"]] == [lent["id"]]
    assert (await makers.ask("GET", "/brands/globex/lent-devices", token=makers.globex_key))[1]["data"] == []
    path = f"/brands/globex/partnerships/{lent['id']}"
    assert (await makers.ask("DELETE", path, token=makers.globex_key))[0] == 204
    _, whose, _ = await makers.ask("GET", "/brands/acme/products/one/assistant", token=makers.acme_key)
    assert (whose["brand"], whose["lent"]) == (makers.acme, False)


async def test_a_brand_that_ended_opens_nothing(makers: Makers) -> None:
    assert (await makers.ask("DELETE", "/brands/acme"))[0] == 204
    assert (await makers.ask("GET", f"/brands/{makers.acme}", token=makers.acme_key))[0] == 401
    assert (await makers.ask("GET", "/brands/acme"))[0] == 404
    assert (await makers.ask("GET", f"/brands/{makers.acme}"))[0] == 404


async def test_programs_are_registered_by_the_operator(makers: Makers) -> None:
    body = {"name": "App", "redirect_uris": ["https://app.example.org/back"]}
    assert (await makers.ask("POST", "/oauth-clients", body, token=makers.acme_key))[0] == 403
    status, made, _ = await makers.ask("POST", "/oauth-clients", body)
    assert status == 201
    assert (await makers.ask("POST", "/oauth-clients", body | {"redirect_uris": ["javascript:x"]}))[0] == 400
    assert (await makers.ask("GET", "/oauth-clients"))[1]["data"] == [made]
    assert (await makers.ask("DELETE", f"/oauth-clients/{made['id']}"))[0] == 204


async def test_accounts_are_the_operators(makers: Makers) -> None:
    body = {"login": "ben@example.org", "display_name": "Ben", "password": "correct horse battery"}
    assert (await makers.ask("POST", "/accounts", body, token=makers.acme_key))[0] == 403
    status, made, _ = await makers.ask("POST", "/accounts", body)
    assert status == 201
    assert "password" not in str(made)
    assert (await makers.ask("POST", "/accounts", body))[0] == 409
    assert (await makers.ask("GET", "/accounts/ben@example.org"))[1]["id"] == made["id"]
    path = f"/accounts/{made['id']}"
    assert (await makers.ask("POST", f"{path}/password", {"password": "another password"}))[0] == 204
    assert (await makers.ask("POST", f"{path}/password", {"password": "short"}))[0] == 400
    assert (await makers.ask("PATCH", path, {"disabled": True}))[1]["disabled_at_s"] is not None


async def test_a_login_lives_in_one_region(makers: Makers) -> None:
    directory = FleetDirectory(makers.site.database, SystemClock(), "home")
    makers.site.services.directory = directory
    await directory.enter_login("carl@example.org", "eu")
    status, answer, _ = await makers.ask("POST", "/accounts", {"login": "Carl@Example.org", "display_name": "Carl"})
    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert (await makers.ask("POST", "/accounts", {"login": "dora", "display_name": "Dora"}))[0] == 201
    assert await directory.home_of(await directory.login_hash("dora")) == "home"


def test_every_permission_of_a_brand_has_an_operation_or_awaits_its_owner() -> None:
    used = {each.permission for each in OPERATIONS}
    assert {Permission.BRAND_READ, Permission.BRAND_STAFF, Permission.BRAND_AUDIT, Permission.BRAND_PRODUCTS} <= used
