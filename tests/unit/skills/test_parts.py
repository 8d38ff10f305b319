"""The parts of skills that have rules of their own: sums, units, items of lists, places, months."""

from __future__ import annotations

from datetime import datetime, time
from fractions import Fraction
from zoneinfo import available_timezones

import pytest
import yaml

from entendre.core.home import ItemList
from entendre.markets.market import markets
from entendre.skills.calculator.arithmetic import ArithmeticRefused, evaluate, exact, for_speech, power, root
from entendre.skills.calculator.units import UNITS, convert
from entendre.skills.clock.places import find_place, plain_place
from entendre.skills.lists.items import split_items
from entendre.skills.lists.skill import _Chosen, _on_list
from entendre.skills.plugins import BUILT_IN
from entendre.skills.reminders.skill import _next_month_day


@pytest.mark.parametrize(
    ("numbers", "operators", "result"),
    [
        ([2, 3, 4], "+*", 14),
        ([2, 3, 4], "*+", 10),
        ([2, 3, 2], "*^", 18),
        ([8, 4, 2], "/-", 0),
        ([0.1, 0.2], "+", 0.3),
        ([10, 4], "/", 2.5),
    ],
)
def test_operators_have_their_usual_order(numbers: list[float], operators: str, result: float) -> None:
    assert for_speech(evaluate([exact(number) for number in numbers], list(operators))) == result


@pytest.mark.parametrize(
    ("sum_", "reason"),
    [
        (lambda: evaluate([Fraction(1), Fraction(0)], ["/"]), "calculation_by_zero"),
        (lambda: power(Fraction(9), Fraction(99)), "calculation_too_large"),
        (lambda: power(Fraction(2), Fraction(10**9)), "calculation_too_large"),
        (lambda: power(Fraction(0), Fraction(-1)), "calculation_by_zero"),
        (lambda: power(Fraction(-4), Fraction(1, 2)), "calculation_no_root"),
        (lambda: root(Fraction(-4), 2), "calculation_no_root"),
        (lambda: root(Fraction(4), 0), "calculation_no_root"),
        (lambda: evaluate([Fraction(10**9), Fraction(10**9)], ["*"]), "calculation_too_large"),
    ],
)
def test_sums_without_an_answer_say_why(sum_, reason: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ArithmeticRefused) as refused:
        sum_()
    assert refused.value.reason == reason


def test_roots_are_exact_where_they_can_be() -> None:
    assert root(Fraction(-27), 3) == -3
    assert root(Fraction(1024), 10) == 2
    assert for_speech(root(Fraction(2), 2)) == 1.41


@pytest.mark.parametrize(
    ("value", "spoken"),
    [("1/3", 0.333), ("2000/3", 666.67), ("1/3000", 0.000333), ("5/2", 2.5), ("0", 0), ("-7/2", -3.5)],
)
def test_results_are_rounded_for_speech(value: str, spoken: float) -> None:
    assert for_speech(Fraction(value)) == spoken


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        (1, "mile", "kilometer", 1.61),
        (1, "cup", "ounce", 8),
        (16, "ounce", "pound", 1),
        (-40, "celsius", "fahrenheit", -40),
        (20, "degree", "fahrenheit", 68),
        (0, "kelvin", "celsius", -273.15),
        (1, "gigabyte", "megabyte", 1000),
        (1, "year", "day", 365),
        (180, "degree", "radian", 3.14),
    ],
)
def test_units_convert(value: int, source: str, target: str, result: float) -> None:
    converted = convert(Fraction(value), source, target)
    assert converted is not None
    assert for_speech(converted[0]) == result


@pytest.mark.parametrize(("source", "target"), [("mile", "pound"), ("celsius", "meter"), ("parsec", "meter")])
def test_units_of_different_things_do_not_convert(source: str, target: str) -> None:
    assert convert(Fraction(1), source, target) is None


LOCAL_UNITS = {unit for market in markets().values() for unit in market.units.local}
"""Units of some markets, which only their languages say."""


def test_a_kilo_is_of_weight_unless_it_stands_beside_a_length() -> None:
    assert convert(Fraction(1), "kilo", "gram") == (1000, "kilogram", "gram")
    assert convert(Fraction(2), "kilo", "meter") == (2000, "kilometer", "meter")


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [(3, "jin", "gram", 1500), (1, "jin", "liang", 10), (2, "li", "kilometer", 1), (1, "rai", "square_meter", 1600)],
)
def test_market_units_convert(value: int, source: str, target: str, expected: int) -> None:
    converted = convert(Fraction(value), source, target)
    assert converted is not None
    assert converted[0] == expected


def test_every_unit_that_english_can_say_converts_and_has_a_name() -> None:
    spoken = yaml.safe_load((BUILT_IN / "calculator" / "en.yaml").read_text("utf-8"))["terms"]["unit"]
    pack = yaml.safe_load((BUILT_IN.parent / "markets" / "languages" / "en" / "names.yaml").read_text("utf-8"))
    assert set(spoken) == set(pack["units"]) == UNITS - LOCAL_UNITS


@pytest.mark.parametrize(
    ("said", "items"),
    [
        ("milk", [("milk", None)]),
        ("milk, eggs and bread", [("milk", None), ("eggs", None), ("bread", None)]),
        ("milk eggs bread", [("milk", None), ("eggs", None), ("bread", None)]),
        ("olive oil and dog food", [("olive oil", None), ("dog food", None)]),
        ("mac and cheese and salt and pepper", [("mac and cheese", None), ("salt and pepper", None)]),
        ("two bottles of wine", [("wine", "2 bottles")]),
        ("a bottle of wine", [("wine", "1 bottle")]),
        ("a dozen eggs", [("eggs", "12")]),
        ("two kg atta", [("atta", "2 kg")]),
        ("two can openers", [("can openers", "2")]),
        ("3 lemons", [("lemons", "3")]),
        ("some apples", [("apples", None)]),
        ("eggs and eggs", [("eggs", None)]),
        ("7 up", [("up", "7")]),
        ("", []),
    ],
)
def test_what_is_said_splits_into_items(said: str, items: list[tuple[str, str | None]]) -> None:
    words = yaml.safe_load((BUILT_IN / "lists" / "en.yaml").read_text("utf-8"))["terms"]["list_words"]
    assert [(item.name, item.quantity) for item in split_items(said, words)] == items


@pytest.mark.parametrize(
    ("asked", "zone"),
    [
        ("Tokyo", "Asia/Tokyo"),
        ("tokio", "Asia/Tokyo"),
        ("new york", "America/New_York"),
        ("paris france", "Europe/Paris"),
        ("birmingham alabama", "America/Chicago"),
        ("perth australia", "Australia/Perth"),
        ("st johns", "America/St_Johns"),
        ("the uk", "Europe/London"),
    ],
)
def test_places_have_their_zone(asked: str, zone: str) -> None:
    place = find_place(asked, "en-US")
    assert place is not None
    assert place.zone == zone


def test_unknown_places_have_none() -> None:
    assert find_place("hogwarts", "en") is None


@pytest.mark.parametrize("asked", ["Москва", "москве", "Уфе", "владивостоке"])
def test_a_place_in_any_case_is_said_by_its_name(asked: str) -> None:
    place = find_place(asked, "ru")
    assert place is not None
    assert place.name in {"Москва", "Уфа", "Владивосток"}


def test_a_service_is_asked_for_a_place_in_its_first_case() -> None:
    assert plain_place("Izmir'de", "tr") == "İzmir"
    assert plain_place("казани", "ru") == "Казань"
    assert plain_place("Bielefeld", "en") == "Bielefeld"


@pytest.mark.parametrize(
    ("items", "asked", "found"),
    [
        (("süt", "yumurta"), "sütü", ["süt"]),
        (("молоко", "сыр"), "молока", ["молоко"]),
        (("eggs", "egg noodles"), "egg", ["eggs"]),
        (("tea", "team jersey"), "te", []),
        (("bread",), "beans", []),
    ],
)
def test_items_are_found_in_other_cases(items: tuple[str, ...], asked: str, found: list[str]) -> None:
    assert _on_list(_Chosen("shopping", "list", ItemList("shopping", {}, items), True), asked) == found


def test_every_place_has_one_zone_that_exists() -> None:
    for file in (BUILT_IN / "clock" / "places").glob("*.yaml"):
        table = yaml.safe_load(file.read_text("utf-8"))
        names = [name.casefold() for names in table.values() for name in names]
        assert len(names) == len(set(names))
        assert set(table) <= available_timezones()


@pytest.mark.parametrize(
    ("day", "on"), [(23, "2026-12-23"), (30, "2026-11-30"), (31, "2026-11-30"), (-1, "2026-11-30"), (1, "2026-12-01")]
)
def test_a_day_of_the_month_comes_next_and_exists(day: int, on: str) -> None:
    now = datetime(2026, 11, 23, 10, 0)
    assert _next_month_day(now, day, time(9)).isoformat() == on


@pytest.mark.parametrize(
    ("said", "items"),
    [
        ("两瓶牛奶和三斤苹果还有和牛", [("牛奶", "2 瓶"), ("苹果", "3 斤"), ("和牛", None)]),
        ("牛奶", [("牛奶", None)]),
        ("牛奶、鸡蛋", [("牛奶", None), ("鸡蛋", None)]),
        ("牛肉三斤和和牛", [("牛肉", "3 斤"), ("和牛", None)]),
        ("三文鱼", [("三文鱼", None)]),
        ("牛奶鸡蛋", [("牛奶", None), ("鸡蛋", None)]),
        ("一些苹果", [("苹果", None)]),
    ],
)
def test_items_of_words_that_are_written_together(said: str, items: list[tuple[str, str | None]]) -> None:
    words = {
        "written": "together",
        "and": "和|还有",
        "pairs": "和牛",
        "amounts": "两=2|三=3",
        "measures": "瓶|斤",
        "groceries": "牛奶 鸡蛋",
        "articles": "一些",
    }
    assert [(item.name, item.quantity) for item in split_items(said, words)] == items


def test_a_measure_needs_no_word_before_its_item() -> None:
    words = {"and": "и", "amounts": "две=2", "measures": "бутылки"}
    items = split_items("две бутылки молока и хлеб", words)
    assert [(item.name, item.quantity) for item in items] == [("молока", "2 бутылки"), ("хлеб", None)]


def test_items_lose_the_ending_of_a_case_where_that_makes_them_a_known_grocery() -> None:
    words = {"groceries": "rice milk", "endings": "ei=e|in="}
    assert [item.name for item in split_items("milkin", words)] == ["milk"]
    assert [item.name for item in split_items("ricei", words)] == ["rice"]
    assert [item.name for item in split_items("muffin", words)] == ["muffin"]
