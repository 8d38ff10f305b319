"""The language that picks devices: what it means, and that its errors point at the place."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entendre.core.errors import EntendreError, InvalidInputError
from entendre.fleet.queries import EVERY, DeviceView, matches, parse_query

DEVICE = DeviceView(
    id="1",
    product="p1",
    product_name="pod",
    kind="speaker",
    serial="A-1",
    name="Kitchen",
    state="active",
    firmware="1.2.0",
    online=True,
    country="BR",
    tags={"country": "BR", "ring": "beta", "build": {"number": 7, "ok": True}, "groups": ["a", "b"], "odd/key": 1.5},
)

TRUE_OF_IT = """
tags.country = 'BR' and product = 'pod' and firmware != '1.2.1' and online = true
product = 'p1'
not product = 'box'
tags.ring in ('beta','qa') or not state = 'revoked'
tags.build.number = 7 and tags.build.number = 7.0
tags.build.ok = true
tags.build.ok != 1
tags.groups = 'a' and tags.groups = 'b' and tags.groups != 'c'
tags."odd/key" = 1.5
tags.nothing is none and tags.ring is not none
tags.build is none
tags.nothing != 'x' and not tags.nothing = 'x' and tags.nothing not in ('x', 'y')
household is none and household != 'h' and country is not none
NOT (firmware = '1' OR firmware = '2') AND kind <> 'laptop'
state = 'revoked' and state = 'active' or serial = 'A-1'
name = 'Kitchen' and language is none and id = '1'
"""


@pytest.mark.parametrize("query", TRUE_OF_IT.strip().splitlines())
def test_what_is_true_of_a_device(query: str) -> None:
    assert matches(parse_query(query), DEVICE)
    assert not matches(parse_query(f"not ({query})"), DEVICE)


def test_quotes_are_doubled_inside_a_text() -> None:
    assert matches(parse_query("name = 'Ann''s'"), replace(DEVICE, name="Ann's"))


def test_an_empty_query_is_true_of_every_device() -> None:
    assert parse_query("  \n") == EVERY
    assert matches(EVERY, DEVICE)


@pytest.mark.parametrize(
    ("query", "character", "says"),
    [
        ("tags.x", 7, "expects"),
        ("foo = 'a'", 1, "no field"),
        ("tags = 'a'", 1, "no field"),
        ("firmware = 1", 12, "quotes"),
        ("online = 'yes'", 10, "neither"),
        ("kind = speaker", 8, "a value"),
        ("(state = 'x'", 13, "“)”"),
        ("state = 'x')", 12, "the end"),
        ("state = 'x", 9, "quote"),
        ("state = 'x' or", 15, "a field"),
        ("state is none", 1, "always has"),
        ("country is 'x'", 12, "none"),
        ("tags.a in ('x' 'y')", 16, "“,”"),
        ("tags.a in ()", 12, "a value"),
        ("tags.a = 1234567890123456", 10, "too large"),
        ("state = 'x' ; drop", 13, "';'"),
        ("tags.a = 'a\x00'", 10, "not valid"),
    ],
)
def test_an_error_points_at_its_place(query: str, character: int, says: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        parse_query(query)
    assert refused.value.public_message.endswith(f"at character {character}.")
    assert says in refused.value.public_message


@pytest.mark.parametrize(
    "query",
    [
        "x" * 5_000,
        "(" * 20 + "state = 'x'" + ")" * 20,
        "not " * 20 + "state = 'x'",
        " or ".join(["state = 'x'"] * 65),
        f"tags.a in ({','.join(['1'] * 201)})",
    ],
)
def test_size_is_bounded(query: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_query(query)


@given(st.text() | st.text("tags.ab= '\"()!<>,0123inorotdue", max_size=40))
def test_any_text_parses_or_is_refused_politely(query: str) -> None:
    try:
        matches(parse_query(query), DEVICE)
    except EntendreError as error:
        assert error.code == "invalid_input"
