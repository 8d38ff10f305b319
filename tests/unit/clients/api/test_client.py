"""The client against a whole server on a real database."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from entendre.clients.api import (
    ApiConflictError,
    ApiExistsError,
    ApiForbiddenError,
    ApiInvalidError,
    ApiNotFoundError,
    ApiStaleError,
    ApiUnauthorizedError,
    Entendre,
    Retries,
)
from entendre.clients.api.following import Changed
from entendre.core.errors import InvalidInputError

QUICK = Retries(first_s=0.001, longest_s=0.01)


async def test_a_thing_is_made_read_changed_and_ended(cloud) -> None:
    async with Entendre(cloud.url) as client:
        made = await client.brands.create(name="acme", display_name="Acme")
        assert (await client.brands.get("acme")) == made
        changed = await client.brands.change("acme", display_name="Acme Audio", if_match=made.version)
        assert (changed.display_name, changed.version) == ("Acme Audio", made.version + 1)
        with pytest.raises(ApiStaleError):
            await client.brands.change("acme", display_name="Late", if_match=made.version)
        with pytest.raises(ApiExistsError) as exists:
            await client.brands.create(name="acme", display_name="Again")
        assert exists.value.code == "already_exists"
        with pytest.raises(ApiInvalidError) as invalid:
            await client.products.create("acme", name="no spaces", display_name="x", kind="speaker")
        assert invalid.value.param == "name"
        await client.brands.end("acme")
        with pytest.raises(ApiNotFoundError):
            await client.brands.get("acme")


async def test_a_list_is_read_over_all_its_pages(cloud) -> None:
    async with Entendre(cloud.url) as client:
        await client.brands.create(name="acme", display_name="Acme")
        for number in range(7):
            await client.products.create("acme", name=f"p{number}", display_name="x", kind="laptop")
        found = [each.name async for each in client.products.list("acme", limit=3)]
        assert sorted(found) == [f"p{number}" for number in range(7)]


async def test_a_request_with_the_same_key_has_effect_once(cloud) -> None:
    async with Entendre(cloud.url, retries=QUICK) as client:
        await client.brands.create(name="acme", display_name="Acme")
        asked = [
            client.products.create("acme", name="one", display_name="x", kind="speaker", idempotency_key="k1")
            for _ in range(5)
        ]
        made = await asyncio.gather(*asked)
        assert len({each.id for each in made}) == 1
        with pytest.raises(ApiConflictError):
            await client.products.create("acme", name="two", display_name="x", kind="speaker", idempotency_key="k1")


async def test_a_key_of_a_brand_sees_that_brand_alone(cloud) -> None:
    async with Entendre(cloud.url) as operator:
        await operator.brands.create(name="acme", display_name="Acme")
        await operator.brands.create(name="other", display_name="Other")
        made = await operator.staff.create_key("acme", name="ci", role="viewer")
    async with Entendre(cloud.url, key=made.token) as client:
        assert (await client.brands.get("acme")).name == "acme"
        with pytest.raises(ApiNotFoundError):
            await client.brands.get("other")
        with pytest.raises(ApiForbiddenError):
            await client.products.create("acme", name="one", display_name="x", kind="speaker")
    async with Entendre(cloud.url, key="ent_nobody") as client:
        with pytest.raises(ApiUnauthorizedError):
            await client.brands.get("acme")


async def test_an_etag_can_be_had_beside_a_record(cloud) -> None:
    async with Entendre(cloud.url) as client:
        await client.brands.create(name="acme", display_name="Acme")
        made = await client.webhooks.create("acme", url="https://hooks.example.org/x")
        hook, etag = await client.tagged(client.webhooks.get("acme", made.webhook.id))
        assert (hook.url, etag) == ("https://hooks.example.org/x", "1")
        await client.webhooks.change("acme", hook.id, topics=["twin"], if_match=etag)
        with pytest.raises(ApiStaleError):
            await client.webhooks.change("acme", hook.id, topics=[], if_match=etag)
        _, none = await client.tagged(client.webhooks.test("acme", hook.id))
        assert none is None


async def test_changes_are_followed_from_where_one_was(cloud) -> None:
    async with Entendre(cloud.url, retries=QUICK) as client:
        await client.brands.create(name="acme", display_name="Acme")
        async with asyncio.timeout(20), aclosing(client.follow.brand("acme", topics=["product"])) as changes:
            await client.products.create("acme", name="one", display_name="x", kind="speaker")
            first = await anext(changes)
            await client.products.create("acme", name="two", display_name="x", kind="speaker")
            second = await anext(changes)
        assert isinstance(first, Changed)
        assert isinstance(second, Changed)
        assert (first.topic, second.topic) == ("product", "product")
        async with asyncio.timeout(20), aclosing(client.follow.brand("acme", after=first.seq)) as rest:
            assert await anext(rest) == second
        for name in ("three", "four", "five"):  # the server sees that a reader went when it next writes
            await client.products.create("acme", name=name, display_name="x", kind="speaker")
            await asyncio.sleep(0.05)


def test_a_key_and_a_token_are_not_both_given() -> None:
    with pytest.raises(InvalidInputError):
        Entendre("http://localhost", key="a", token="b")
