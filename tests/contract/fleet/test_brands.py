"""Brands, products, staff and partnerships, on both databases."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from entendre.core.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    StaleError,
)
from entendre.ports.brands import AssistantProfile, BrandChanges, NewProduct, ProductChanges
from entendre.ports.webhooks import WebhookRecord
from entendre.store import audit
from entendre.store.connection import HOME
from entendre.store.database import Database
from entendre.store.fleet.brands import HOME_PRODUCT, BrandStore
from entendre.store.fleet.partnerships import PartnershipStore
from entendre.store.fleet.products import ProductStore
from entendre.store.fleet.staff import StaffStore
from entendre.store.fleet.webhooks import WebhookRows
from entendre.store.homes import StoredHomes
from entendre.store.keys import ApiKeys
from entendre.system import SystemClock

BY = "operator"


@dataclass
class Makers:
    """The stores of makers."""

    database: Database
    brands: BrandStore
    products: ProductStore
    partnerships: PartnershipStore
    staff: StaffStore

    async def brand(self, name: str) -> str:
        return (await self.brands.create(name, name.title(), by=BY)).id

    async def product(self, brand: str, name: str) -> str:
        return (await self.products.create(brand, NewProduct(name, name.title(), "speaker"), by=BY)).id

    async def device(self, id: str, brand: str, product: str, state: str = "active") -> None:
        sql = (
            "INSERT INTO fleet_devices (region, id, brand, product, kind, serial, name, state, firmware, online,"
            " created_at_s, created_by, changed_at_s, changed_by, version)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        values = ("home", id, brand, product, "speaker", f"s-{id}", id, state, "1", 1, 0.0, BY, 0.0, BY, 1)
        await self.database.write(lambda connection: connection.execute(sql, values) and None)

    async def account(self, id: str) -> None:
        sql = "INSERT INTO accounts (region, id, login, display_name, created_at_s, version) VALUES (?, ?, ?, ?, ?, ?)"
        values = ("home", id, f"{id}@example.org", id.title(), 0.0, 1)
        await self.database.write(lambda connection: connection.execute(sql, values) and None)

    async def acts(self, brand: str) -> list[str]:
        sql = "SELECT act FROM audit WHERE region = ? AND brand = ? ORDER BY seq"
        rows = await self.database.read(lambda connection: connection.execute(sql, ("home", brand)).fetchall())
        return [row[0] for row in rows]

    async def feed(self, brand: str) -> list[tuple[str, str]]:
        sql = "SELECT topic, change FROM changes WHERE region = ? AND brand = ? ORDER BY seq"
        rows = await self.database.read(lambda connection: connection.execute(sql, ("home", brand)).fetchall())
        return [tuple(row) for row in rows]


@pytest.fixture
def makers(database: Database) -> Makers:
    common = (database, SystemClock(), "home")
    stores = (BrandStore(*common), ProductStore(*common), PartnershipStore(*common), StaffStore(*common))
    return Makers(database, *stores)


async def test_a_home_without_makers_has_a_brand_and_a_product(makers: Makers) -> None:
    await makers.brands.ensure_home()
    await makers.brands.ensure_home()
    assert (await makers.brands.brand(HOME)).name == HOME
    assert [each.id for each in await makers.products.products(HOME)] == [HOME_PRODUCT]
    with pytest.raises(InvalidInputError):
        await makers.brands.end(HOME, by=BY)
    with pytest.raises(InvalidInputError):
        await makers.products.end(HOME, HOME_PRODUCT, by=BY)


async def test_a_brand_is_made_found_changed_and_ended(makers: Makers) -> None:
    made = await makers.brands.create("acme", " Acme ", by=BY)
    assert (made.display_name, made.assistant.name, made.version) == ("Acme", "Acme", 1)
    assert await makers.brands.brand("acme") == made == await makers.brands.brand(made.id)
    with pytest.raises(AlreadyExistsError):
        await makers.brands.create("acme", "Again", by=BY)
    profile = AssistantProfile("Ada", ("hey ada",), "anna", "de")
    changed = await makers.brands.change(made.id, BrandChanges(assistant=profile), by=BY, version=1)
    assert (changed.assistant, changed.display_name, changed.version) == (profile, "Acme", 2)
    with pytest.raises(StaleError):
        await makers.brands.change(made.id, BrandChanges("New"), by=BY, version=1)
    with pytest.raises(StaleError):
        await makers.brands.end(made.id, by=BY, version=1)
    await makers.brands.end(made.id, by=BY, version=2)
    assert await makers.brands.named("acme") is None
    assert (await makers.brands.create("acme", "Another", by=BY)).id != made.id
    assert await makers.acts(made.id) == ["brand.created", "brand.changed", "brand.ended"]
    assert await makers.feed(made.id) == [("brand", "created"), ("brand", "changed"), ("brand", "ended")]
    assert await makers.database.read(lambda connection: audit.first_broken(connection, "home")) is None


@pytest.mark.parametrize(
    "name", ["", "Acme", "-a", "a-", "a" * 41, "a b", "a\n", "0190a000-0000-7000-8000-000000000000"]
)
async def test_names_for_programs_are_slugs(makers: Makers, name: str) -> None:
    with pytest.raises(InvalidInputError):
        await makers.brands.create(name, "Acme", by=BY)


async def test_products_belong_to_one_brand(makers: Makers) -> None:
    acme, globex = await makers.brand("acme"), await makers.brand("globex")
    new = NewProduct("one", "One", "laptop", "m1", tools=("camera",), wake_words=("hey", "hey"))
    made = await makers.products.create(acme, new, by=BY)
    assert (made.tools, made.wake_words, made.channel) == (("camera",), ("hey",), "stable")
    assert await makers.products.product(acme, "one") == made == await makers.products.product(acme, made.id)
    with pytest.raises(NotFoundError):
        await makers.products.product(globex, made.id)
    with pytest.raises(NotFoundError):
        await makers.products.change(globex, made.id, ProductChanges("Mine"), by=BY)
    with pytest.raises(AlreadyExistsError):
        await makers.products.create(acme, new, by=BY)
    changed = await makers.products.change(acme, "one", ProductChanges(channel="beta", voices=("anna",)), by=BY)
    assert (changed.channel, changed.voices, changed.tools, changed.version) == ("beta", ("anna",), ("camera",), 2)
    assert await makers.products.product(acme, "one") == changed
    await makers.device("d1", acme, made.id)
    with pytest.raises(ConflictError):
        await makers.products.end(acme, made.id, by=BY)


async def test_a_product_without_devices_ends(makers: Makers) -> None:
    acme = await makers.brand("acme")
    one = await makers.product(acme, "one")
    await makers.device("d1", acme, one, "revoked")
    await makers.products.end(acme, one, by=BY, version=1)
    assert await makers.products.products(acme) == ()


async def test_a_partner_lends_its_assistant_and_leaves(makers: Makers) -> None:
    acme, globex = await makers.brand("acme"), await makers.brand("globex")
    one, two = await makers.product(acme, "one"), await makers.product(acme, "two")
    await makers.device("d1", acme, one)
    await makers.device("d2", acme, two)
    await makers.device("d3", globex, "x")
    lent = await makers.partnerships.lend(acme, globex, ("one",), by=BY)
    assert lent.products == (one,)
    assert (await makers.brands.assistant_of(acme, one)).brand == globex
    assert (await makers.brands.assistant_of(acme, two)).brand == acme
    assert [each.id for each in await makers.partnerships.lent_devices(globex)] == ["d1"]
    assert [(await makers.brands.assistant_of_device(each)).lent for each in ("d1", "d2", "d3")] == [True, False, False]
    with pytest.raises(NotFoundError):
        await makers.brands.assistant_of_device("nobody")
    assert await makers.partnerships.lent_devices(acme) == ()
    for brand in (acme, globex):
        assert await makers.partnerships.partnerships(brand) == (lent,)
    await makers.partnerships.end(globex, lent.id, by=BY, version=1)
    assert not (await makers.brands.assistant_of(acme, one)).lent
    assert await makers.partnerships.lent_devices(globex) == ()
    with pytest.raises(NotFoundError):
        await makers.partnerships.end(acme, lent.id, by=BY)
    assert "partnership.ended" in await makers.acts(acme)
    assert "partnership.ended" in await makers.acts(globex)


async def test_devices_keep_working_when_their_partner_ends(makers: Makers) -> None:
    acme, globex = await makers.brand("acme"), await makers.brand("globex")
    one = await makers.product(acme, "one")
    await makers.partnerships.lend(acme, globex, (), by=BY)
    assert (await makers.brands.assistant_of(acme, one)).lent
    await makers.brands.end(globex, by=BY)
    found = await makers.brands.assistant_of(acme, one)
    assert (found.brand, found.lent, found.profile.name) == (acme, False, "Acme")


async def test_running_servers_hear_when_a_partner_ends_and_its_devices_are_their_brands_again(makers: Makers) -> None:
    acme, globex = await makers.brand("acme"), await makers.brand("globex")
    await makers.device("d1", acme, await makers.product(acme, "one"))
    homes = StoredHomes(makers.database, SystemClock())
    await makers.partnerships.lend(acme, globex, (), by=BY)
    assert (await makers.brands.assistant_of_device("d1")).profile.name == "Globex"
    before = await homes.news(None, 0.0)
    await makers.brands.end(globex, by=BY)
    after = await homes.news(before.position, 0.0)
    assert after.brands > before.brands
    found = await makers.brands.assistant_of_device("d1")
    assert (found.brand, found.lent, found.profile.name) == (acme, False, "Acme")
    await makers.brands.change(acme, BrandChanges(assistant=AssistantProfile("Zoe")), by=BY)
    assert (await homes.news(after.position, 0.0)).brands > after.brands
    assert (await makers.brands.assistant_of_device("d1")).profile.name == "Zoe"


async def test_keys_and_webhooks_end_with_their_brand(makers: Makers) -> None:
    acme, globex = await makers.brand("acme"), await makers.brand("globex")
    keys, hooks = ApiKeys(makers.database, SystemClock()), WebhookRows(makers.database, SystemClock(), "home")
    tokens = [(await keys.add("ci", brand=brand, role="admin"))[0] for brand in (acme, globex)]
    for brand in (acme, globex):
        hook = WebhookRecord(brand, brand, "https://example.org", b"s", (), True, 0, 0, None, None, 0.0, BY, 1)
        await hooks.add(hook)
    await makers.brands.end(acme, by=BY)
    assert [await keys.verify(token) is not None for token in tokens] == [False, True]
    assert [each.brand for each in await hooks.enabled()] == [globex]
    await keys.close()


async def test_what_is_lent_is_lent_once_and_to_nobody_else(makers: Makers) -> None:
    acme, globex, hooli = [await makers.brand(name) for name in ("acme", "globex", "hooli")]
    await makers.product(acme, "one")
    await makers.product(acme, "two")
    lent = await makers.partnerships.lend(acme, globex, ("one",), by=BY)
    with pytest.raises(AlreadyExistsError):
        await makers.partnerships.lend(acme, hooli, ("two", "one"), by=BY)
    with pytest.raises(AlreadyExistsError):
        await makers.partnerships.lend(acme, hooli, (), by=BY)
    with pytest.raises(InvalidInputError):
        await makers.partnerships.lend(acme, acme, (), by=BY)
    with pytest.raises(NotFoundError):
        await makers.partnerships.lend(globex, hooli, ("one",), by=BY)
    with pytest.raises(NotFoundError):
        await makers.partnerships.lend(acme, "nobody", (), by=BY)
    await makers.partnerships.lend(acme, hooli, ("two",), by=BY)
    with pytest.raises(NotFoundError):
        await makers.partnerships.partnership(hooli, lent.id)


async def test_staff_have_roles_in_their_brand_alone(makers: Makers) -> None:
    acme, globex = await makers.brand("acme"), await makers.brand("globex")
    await makers.account("anna")
    with pytest.raises(NotFoundError):
        await makers.staff.add(acme, "nobody", "viewer", by=BY)
    added = await makers.staff.add(acme, "anna", "viewer", by=BY)
    assert (added.login, added.role) == ("anna@example.org", "viewer")
    with pytest.raises(AlreadyExistsError):
        await makers.staff.add(acme, "anna", "admin", by=BY)
    assert await makers.staff.role_in(acme, "anna") == "viewer"
    assert await makers.staff.role_in(globex, "anna") is None
    with pytest.raises(NotFoundError):
        await makers.staff.change(globex, added.id, "admin", by=BY)
    changed = await makers.staff.change(acme, added.id, "admin", by=BY, version=1)
    assert (changed.role, changed.version) == ("admin", 2)
    assert await makers.staff.roles_of("anna") == ((acme, "admin"),)
    await makers.staff.remove(acme, added.id, by=BY)
    assert await makers.staff.role_in(acme, "anna") is None


async def test_lists_are_paged_by_id(makers: Makers) -> None:
    made = sorted([await makers.brand(f"b{number}") for number in range(5)])
    first = await makers.brands.brands(limit=3)
    rest = await makers.brands.brands(after=first[-1].id)
    assert [each.id for each in (*first, *rest)] == made
