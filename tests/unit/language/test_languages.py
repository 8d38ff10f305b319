"""Numbers, times, dates and durations of every language: phrases written by hand, and what is said comes back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unicode_rbnf import RbnfEngine

from entendre.language.dates import DAYS
from entendre.language.pack import LanguagePack
from entendre.language.say import (
    say_date,
    say_datetime,
    say_days,
    say_duration,
    say_number,
    say_percent,
    say_temperature,
    say_time,
)
from entendre.language.times import next_occurrence
from entendre.language.tokens import Tokenizer
from entendre.language.values import Readers
from entendre.markets.loader import languages, load_pack, read_yaml

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 11, 25, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))  # a Wednesday
TODAY = NOW.date()
TAUGHT = tuple(tag for tag in languages() if (DATA / f"{tag}_values.yaml").is_file())


class Reader:
    """The grammars of one language."""

    def __init__(self, tag: str) -> None:
        self.pack: LanguagePack = load_pack(tag)
        self.words = Tokenizer(self.pack.words).words
        self.read = Readers(self.pack, self.words)

    def value(self, kind: str, text: str) -> Any:
        """The value of a reading that takes every word, None if there is none."""
        words, read = self.words(text), self.read
        readings: dict[str, Any] = {
            "number": lambda: read.numbers.parse(words, 0),
            "percent": lambda: read.numbers.percent(words, 0),
            "ordinal": lambda: read.numbers.ordinal(words, 0),
            "temperature": lambda: read.numbers.temperature(words, 0, "C"),
            "duration": lambda: read.durations.parse(words, 0),
            "time": lambda: read.clocks.parse(words, 0),
            "date": lambda: read.moments.dates(words, 0, NOW),
            "datetime": lambda: read.moments.parse(words, 0, NOW),
            "days": lambda: read.dates.days(words, 0),
        }
        return next((value for end, value in readings[kind]() if end == len(words)), None)

    def plain(self, kind: str, text: str) -> tuple[Any, bool]:
        """The value as the data write it, and whether its half of the day is open."""
        value = self.value(kind, text)
        if value is None:
            return None, False
        if kind == "time":
            minutes = next_occurrence(value, NOW.hour * 60 + NOW.minute)
            return f"{minutes // 60:02d}:{minutes % 60:02d}", value.ambiguous
        if kind == "date":
            return value.day.isoformat(), False
        if kind == "datetime":
            return value.text, value.ambiguous
        return (list(value.days), False) if kind == "days" else (value, False)


@lru_cache
def reader(tag: str) -> Reader:
    return Reader(tag)


def phrases() -> Iterator[Any]:
    for tag in TAUGHT:
        for kind, entries in read_yaml(DATA / f"{tag}_values.yaml").items():
            for entry in entries:
                yield pytest.param(tag, kind, entry, id=f"{tag}-{kind}-{entry['say']}")


@pytest.mark.parametrize(("tag", "kind", "entry"), list(phrases()))
def test_phrases_mean_what_people_mean(tag: str, kind: str, entry: dict[str, Any]) -> None:
    value, ambiguous = reader(tag).plain(kind, str(entry["say"]))
    wanted = entry["is"]
    assert value == (wanted.split() if kind == "days" and isinstance(wanted, str) else wanted)
    if "ambiguous" in entry:
        assert ambiguous == entry["ambiguous"]


@pytest.mark.parametrize("tag", TAUGHT)
def test_a_language_has_forty_phrases_written_by_hand(tag: str) -> None:
    assert sum(len(entries) for entries in read_yaml(DATA / f"{tag}_values.yaml").values()) >= 40


every_language = pytest.mark.parametrize("tag", TAUGHT)


@every_language
def test_numbers_spelled_out_by_rules_of_others_are_read(tag: str) -> None:
    """Source: CLDR's rule-based number formats, by the package unicode-rbnf."""
    engine = RbnfEngine.for_language(tag)
    chance = random.Random(0)
    numbers = [*range(200), *(chance.randrange(10**size) for size in (3, 4, 5, 6, 7) for _ in range(40))]
    read = {number: reader(tag).value("number", engine.format_number(number).text) for number in numbers}
    assert {number: value for number, value in read.items() if value != number} == {}


@every_language
@settings(max_examples=60)
@given(value=st.integers(-10_000_000, 10_000_000))
def test_whole_numbers_come_back(tag: str, value: int) -> None:
    assert reader(tag).value("number", say_number(reader(tag).pack, value)) == value


@every_language
@settings(max_examples=40)
@given(value=st.decimals(0, 1000, places=2))
def test_decimals_come_back(tag: str, value: Any) -> None:
    assert reader(tag).value("number", say_number(reader(tag).pack, float(value))) == float(value)


@every_language
@settings(max_examples=60)
@given(seconds=st.integers(1, 300 * 86_400))
def test_durations_come_back(tag: str, seconds: int) -> None:
    assert reader(tag).value("duration", say_duration(reader(tag).pack, seconds)) == seconds


@every_language
def test_every_minute_of_the_day_comes_back(tag: str) -> None:
    times = [f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in range(1440)]
    said = {time: say_time(reader(tag).pack, time) for time in times}
    lost = {time: text for time, text in said.items() if reader(tag).plain("time", text) != (time, False)}
    twice_a_day = {time for time, text in lost.items() if reader(tag).plain("time", text)[1]}
    assert not lost.keys() - twice_a_day, lost
    assert not twice_a_day or reader(tag).pack.say["clock"]["hours"] == 24


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("00:30", "เที่ยงคืนครึ่ง"),
        ("02:30", "ตีสองครึ่ง"),
        ("06:30", "หกโมงเช้าครึ่ง"),
        ("08:30", "แปดโมงครึ่ง"),
        ("12:30", "เที่ยงครึ่ง"),
        ("13:30", "บ่ายโมงครึ่ง"),
        ("18:30", "หกโมงเย็นครึ่ง"),
        ("20:30", "สองทุ่มครึ่ง"),
        ("20:29", "สองทุ่ม 29 นาที"),
    ],
)
def test_half_past_is_said_as_thais_say_it(time: str, said: str) -> None:
    assert say_time(reader("th").pack, time) == said


@every_language
@settings(max_examples=60)
@given(offset=st.integers(-1, 1500))
def test_dates_come_back(tag: str, offset: int) -> None:
    day = TODAY + timedelta(days=offset)
    read = reader(tag).value("date", say_date(reader(tag).pack, day, TODAY))
    assert read is not None
    assert read.day == day


@every_language
@settings(max_examples=60)
@given(minutes=st.integers(0, 60 * 24 * 300))
def test_moments_come_back(tag: str, minutes: int) -> None:
    moment = (NOW + timedelta(minutes=minutes)).replace(tzinfo=None)
    found = reader(tag).value("datetime", say_datetime(reader(tag).pack, moment, TODAY))
    assert found is not None
    read = datetime.fromisoformat(found.text)
    if found.ambiguous:
        assert (read.hour - moment.hour) % 12 == 0
        assert read.minute == moment.minute
    else:
        assert read.strftime("%H:%M") == moment.strftime("%H:%M")
        assert moment.date() == TODAY or read == moment


@every_language
@settings(max_examples=40)
@given(days=st.sets(st.sampled_from(DAYS), min_size=1))
def test_days_come_back(tag: str, days: set[str]) -> None:
    assert set(reader(tag).value("days", say_days(reader(tag).pack, sorted(days))).days) == days


@every_language
def test_percentages_and_temperatures_come_back(tag: str) -> None:
    pack = reader(tag).pack
    assert {value for value in range(101) if reader(tag).value("percent", say_percent(pack, value)) != value} == set()
    said = [(value, say_temperature(pack, value, unit)) for value in range(-40, 60) for unit in ("C", None)]
    assert [text for value, text in said if reader(tag).value("temperature", text) != value] == []


@every_language
def test_a_date_is_said_and_read_in_its_own_year(tag: str) -> None:
    far = date(2027, 6, 5)
    assert reader(tag).value("date", say_date(reader(tag).pack, far, TODAY)).day == far


def test_a_number_is_over_after_a_case_ending() -> None:
    turkish = reader("tr")
    assert turkish.read.numbers.parse(turkish.words("yüzü sekize"), 0)[0] == (1, 100)
    assert turkish.read.numbers.parse(turkish.words("yüz sekize"), 0)[0] == (2, 108)


@pytest.mark.parametrize(
    ("tag", "text", "day"),
    [
        ("zh", "春节", "2027-02-06"),
        ("zh", "除夕", "2027-02-05"),
        ("zh", "中秋节", "2027-09-15"),
        ("en", "easter", "2027-03-28"),
        ("en", "good friday", "2027-03-26"),
        ("en", "chinese new year", "2027-02-06"),
        ("pt", "carnaval", "2027-02-09"),
        ("es", "viernes santo", "2027-03-26"),
    ],
)
def test_feasts_that_move(tag: str, text: str, day: str) -> None:
    assert reader(tag).plain("date", text)[0] == day


@pytest.mark.parametrize(
    ("year", "day"),
    [(2024, "03-31"), (2025, "04-20"), (2026, "04-05"), (2038, "04-25"), (2049, "04-18"), (2076, "04-19")],
)
def test_easter_falls_as_published(year: int, day: str) -> None:
    words = reader("en").words("easter")
    found = reader("en").read.dates.parse(words, 0, date(year, 1, 1))
    assert found[0][1].isoformat() == f"{year}-{day}"
