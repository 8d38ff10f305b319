"""Roles give what they say and nothing more."""

from __future__ import annotations

import pytest

from entendre.fleet.access import (
    MEMBERS,
    STAFF,
    Permission,
    Principal,
    permissions_in_brand,
    permissions_in_household,
    permissions_in_region,
)


def test_each_role_has_all_that_the_one_below_it_has() -> None:
    assert STAFF["viewer"] < STAFF["support"] < STAFF["engineer"] < STAFF["admin"]
    assert MEMBERS["guest"] < MEMBERS["child"] < MEMBERS["adult"] < MEMBERS["owner"]


def test_a_brands_key_is_worth_nothing_in_another_brand() -> None:
    key = Principal("key", "k", brand="acme", role="admin")
    assert Permission.BRAND_WRITE in permissions_in_brand(key, "acme", None)
    assert permissions_in_brand(key, "other", None) == frozenset()
    assert permissions_in_household(key, None) == frozenset()


@pytest.mark.parametrize("kind", ["person", "device", "nobody", "key"])
def test_without_a_role_nothing_is_allowed(kind: str) -> None:
    who = Principal(kind, "x")  # type: ignore[arg-type]
    assert permissions_in_brand(who, "acme", None) == frozenset()
    assert permissions_in_household(who, None) == frozenset()
    assert Permission.REGION_WRITE not in permissions_in_region(who)


def test_the_operator_is_nobodys_device_or_person() -> None:
    operator = permissions_in_region(Principal("operator", "cli"))
    assert Permission.DEVICE_SELF not in operator
    assert Permission.ACCOUNT_SELF not in operator
