"""Values as a country says them."""

from __future__ import annotations

from datetime import date

import pytest

from entendre.home.stored import home_of
from entendre.language.say import say_date
from entendre.markets.loader import load_pack
from entendre.markets.spoken import spoken_in
from entendre.ports.homes import StoredHome

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("country", "said"),
    [
        (None, "Thursday, December 31st"),
        ("ZZ", "Thursday, December 31st"),
        ("US", "Thursday, December 31st"),
        ("PH", "Thursday, December 31st"),
        ("SG", "Thursday, the 31st of December"),
        ("in", "Thursday, the 31st of December"),
    ],
)
def test_dates_are_said_in_the_order_of_the_country(country: str | None, said: str) -> None:
    assert say_date(spoken_in(load_pack("en"), country), "2026-12-31", TODAY) == said


def test_a_language_without_variants_is_itself_everywhere() -> None:
    pack = load_pack("hi")
    assert spoken_in(pack, "IN") is pack


def test_a_home_without_a_document_has_the_unit_of_its_country() -> None:
    assert home_of(StoredHome("a", country="US"), "UTC").temperature_unit == "F"
    assert home_of(StoredHome("a", country="MX"), "UTC").temperature_unit == "C"
    own = home_of(StoredHome("a", country="US", document='{"temperature_unit": "C"}'), "UTC")
    assert (own.temperature_unit, own.country) == ("C", "US")
