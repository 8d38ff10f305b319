"""Version numbers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entendre.fleet.versions import is_newer, is_same, read_version

# Source: semver.org 2.0.0, clause 11.
ASCENDING = (
    *("1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1"),
    *("1.0.0", "1.0.0.1", "1.0.1", "1.2", "1.10", "2.0.0", "2.1.0", "2.1.1"),
)


@pytest.mark.parametrize(("older", "newer"), list(itertools.combinations(ASCENDING, 2)))
def test_precedence(older: str, newer: str) -> None:
    assert is_newer(newer, older)
    assert not is_newer(older, newer)
    assert not is_same(older, newer)


def test_missing_numbers_are_zero_and_a_v_is_nothing() -> None:
    assert is_same("v1.2", "1.2.0.0")
    assert not is_newer("1.2.0", "1.2")


def test_a_build_is_another_thing_of_the_same_precedence() -> None:
    assert not is_same("1.0.0+5", "1.0.0+6")
    assert not is_newer("1.0.0+6", "1.0.0+5")


@pytest.mark.parametrize("text", ["", "one", "1.", ".1", "1..2", "1.0-", "1.0+", "1.0 ", "٣.0", "1" * 65, "1.0-a..b"])
def test_what_is_no_version(text: str) -> None:
    assert read_version(text) is None
    assert not is_newer(text, "0.1")
    assert not is_newer("0.1", text)
    assert is_same(text, text)


IDENTIFIER = st.from_regex(r"[0-9A-Za-z-]{1,6}", fullmatch=True)
VERSIONS = st.builds(
    lambda numbers, early: ".".join(map(str, numbers)) + ("-" + ".".join(early) if early else ""),
    st.lists(st.integers(0, 99), min_size=1, max_size=4),
    st.lists(IDENTIFIER, max_size=3),
)


@given(st.lists(VERSIONS, min_size=3, max_size=3))
def test_the_order_is_total(texts: list[str]) -> None:
    a, b, c = texts
    assert sum((is_newer(a, b), is_newer(b, a), not is_newer(a, b) and not is_newer(b, a))) == 1
    if is_newer(a, b) and is_newer(b, c):
        assert is_newer(a, c)
