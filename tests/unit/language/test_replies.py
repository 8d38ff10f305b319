"""Reply templates: values, optional parts, plurals, terms, and templates that can't be."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from entendre.language.formats import formatters
from entendre.language.plurals import plural_index
from entendre.language.replies import Replies, TemplateError
from entendre.markets.loader import load_pack

ENGLISH = load_pack("en")
MONDAY = date(2026, 11, 23)


def say(template: str, language: str = "en", terms: dict[str, dict[str, str]] | None = None, **values: Any) -> str:
    return Replies(language, {"it": template}, terms or {}, formatters(ENGLISH, MONDAY)).say("it", **values)


@pytest.mark.parametrize(
    ("template", "values", "spoken"),
    [
        ("{duration} left.", {"duration": 90}, "1 minute and 30 seconds left."),
        ("It is {time}.", {"time": "07:30"}, "It is 7:30 AM."),
        ("{on:date} at {time}.", {"on": "2026-11-24", "time": "12:00"}, "Tomorrow at noon."),
        ("It's {on:full_date}.", {"on": "2026-11-24"}, "It's Tuesday, November 24th."),
        ("It's {on:full_date}.", {"on": "2026-01-02"}, "It's Friday, January 2nd."),
        ("{items}.", {"items": ("milk", "eggs", "bread")}, "Milk, eggs, and bread."),
        ("Which: {items:choice}?", {"items": ("a", "b")}, "Which: a or b?"),
        ("The {list}.", {"list": "shopping list"}, "The shopping list."),
        ("{count} {count:plural(timer|timers)}.", {"count": 1}, "1 timer."),
        ("{count} {count:plural(timer|timers)}.", {"count": 3}, "3 timers."),
        ("Set[ for {days}][, called {name}].", {"days": ("mon",), "name": ""}, "Set for every Monday."),
        ("Set[ for {days}][, called {name}].", {"days": (), "name": "gym"}, "Set, called gym."),
        ("[{left:duration}[ on {name}]].", {"left": 60, "name": None}, "1 minute."),
        ("[{name}]{count} left", {"count": 0}, "0 left"),
        ("{year:plain}", {"year": 2026}, "2026"),
        ("ใน{list}มี{item}อยู่", {"list": "รายการ", "item": "milk"}, "ในรายการมี milk อยู่"),
        ("ใน{list}มี{item}อยู่", {"list": "รายการ", "item": "นม"}, "ในรายการมีนมอยู่"),
        ("the {name}", {"name": "pizza timer"}, "the pizza timer"),
    ],
)
def test_values_are_spoken(template: str, values: dict[str, Any], spoken: str) -> None:
    assert say(template, **values) == spoken


def test_terms_are_looked_up_by_name_or_table() -> None:
    terms = {"sky": {"rain": "raining"}, "person": {"my": "your"}}
    assert say("It is {sky:term}.", terms=terms, sky="rain") == "It is raining."
    assert say("It is {now:term(sky)}.", terms=terms, now="rain") == "It is raining."
    assert say("{text:swapped(person)}.", terms=terms, text="call my mom") == "Call your mom."


def test_the_end_of_a_word_can_be_another_persons() -> None:
    terms = {"person": {"-memi": "meni", "annemi": "anneni"}}
    assert say("{text:swapped(person)}.", terms=terms, text="annemi görmemi") == "Anneni görmeni."


@pytest.mark.parametrize("template", ["[open", "close]", "{name", "{name:roman}", "stray }"])
def test_malformed_templates_are_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        Replies("en", {"it": template}, {}, formatters(ENGLISH, MONDAY))


def test_missing_values_and_replies_are_the_skills_mistake() -> None:
    with pytest.raises(KeyError):
        say("{name} is gone.")
    with pytest.raises(KeyError):
        Replies("en", {}, {}, {}).say("nothing")


def test_another_day_makes_other_dates() -> None:
    replies = Replies("en", {"it": "{date}"}, {}, formatters(ENGLISH, MONDAY))
    tomorrow = replies.spoken_with(formatters(ENGLISH, date(2026, 11, 24)))
    assert (replies.say("it", date="2026-11-24"), tomorrow.say("it", date="2026-11-24")) == ("tomorrow", "today")
    assert replies.placeholders("it") == {"date"}


@pytest.mark.parametrize(
    ("language", "value", "spoken"),
    [
        ("en", "lightblue", "light blue"),
        ("en", "lime", "lime"),
        ("en", "warmwhite", "warm white"),
        ("en", "rebeccapurple", "rebeccapurple"),
        ("ms", "red", "merah"),
        ("fil", "green", "berde"),
    ],
)
def test_colours_are_said_in_words(language: str, value: str, spoken: str) -> None:
    replies = Replies(language, {"it": "it: {color}"}, {}, formatters(load_pack(language), MONDAY))
    assert replies.say("it", color=value) == f"it: {spoken}"


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", {0: 1, 1: 0, 2: 1, 1.5: 1}),
        ("ru", {1: 0, 2: 1, 5: 2, 11: 2, 21: 0, 22: 1, 112: 2, 1.5: 1}),
        ("pt-BR", {0: 0, 1: 0, 2: 1}),
        ("hi", {0: 0, 1: 0, 2: 1}),
        ("zh-CN", {1: 0, 5: 0}),
        ("fil", {1: 0, 4: 1, 5: 0, 6: 1, 14: 1}),
        ("tr", {1: 0, 2: 1}),
    ],
)
def test_plurals_follow_the_language(language: str, forms: dict[float, int]) -> None:
    assert {count: plural_index(language, count) for count in forms} == forms


def test_turkish_sentences_begin_with_a_dotted_capital() -> None:
    assert say("{name}.", language="tr", name="istanbul") == "İstanbul."


@pytest.mark.parametrize(
    ("language", "template", "values", "spoken"),
    [
        ("th", "พ.ศ. {year:year}", {"year": 2026}, "พ.ศ. 2569"),
        ("th", "{color}", {"color": "red"}, "สีแดง"),
        ("zh", "{color}", {"color": "skyblue"}, "天蓝色"),
        ("en", "{color}", {"color": "red"}, "red"),
        ("en", "{year:year}", {"year": 2026}, "2026"),
    ],
)
def test_years_and_colors_are_those_of_the_language(
    language: str, template: str, values: dict[str, Any], spoken: str
) -> None:
    replies = Replies(language, {"it": template}, {}, formatters(load_pack(language), MONDAY))
    assert replies.say("it", **values) == spoken
