"""Numbers, durations, times and dates: what people say, and the way back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entendre.language.say import (
    say_date,
    say_datetime,
    say_days,
    say_duration,
    say_list,
    say_number,
    say_percent,
    say_temperature,
    say_time,
)
from entendre.language.times import next_occurrence
from entendre.language.tokens import Tokenizer
from entendre.language.values import Readers
from entendre.markets.loader import load_pack

PACK = load_pack("en")
WORDS = Tokenizer(PACK.words)
READ = Readers(PACK, WORDS.words)
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=ZoneInfo("Europe/Berlin"))  # a Monday
TODAY = NOW.date()


def whole(read, text, *more):
    """The value of a reading that takes every word."""
    words = WORDS.words(text)
    return next((value for end, value in read(words, 0, *more) if end == len(words)), None)


@pytest.mark.parametrize("digits", ["9" * 31, "9" * 400, "1." + "0" * 400])
def test_digits_without_end_are_no_number(digits):
    assert whole(READ.numbers.parse, digits) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("zero", 0),
        ("twenty five", 25),
        ("a hundred", 100),
        ("one hundred and two", 102),
        ("1,000", 1000),
        ("3.5", 3.5),
        ("two thousand and twenty six", 2026),
        ("one million two hundred thousand", 1_200_000),
        ("minus two", -2),
        ("one and a half", 1.5),
        ("three point one four", 3.14),
        ("half a dozen", 6),
        ("ninety nine", 99),
        ("2 million", 2_000_000),
        ("three quarters", 0.75),
        ("seven and three quarters", 7.75),
        ("twenty-one", 21),
        ("nineteen", 19),
    ],
)
def test_numbers(text, value):
    assert whole(READ.numbers.parse, text) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("an hour and a half", 5400),
        ("two and a half minutes", 150),
        ("90 minutes", 5400),
        ("1 hour 10 minutes 5 seconds", 4205),
        ("half an hour", 1800),
        ("a quarter of an hour", 900),
        ("three quarters of an hour", 2700),
        ("ten seconds", 10),
        ("one hour and ten minutes", 4200),
        ("two minutes thirty", 150),
        ("two hours and twenty", 8400),
        ("1h", 3600),
        ("10min", 600),
        ("a minute", 60),
        ("one and a half hours", 5400),
        ("a couple of minutes", 120),
        ("two hours, ten minutes and five seconds", 7805),
        ("half a minute", 30),
        ("an hour and a quarter", 4500),
        ("a minute and a half", 90),
        ("1.5 hours", 5400),
        ("two days", 172_800),
    ],
)
def test_durations(text, seconds):
    assert whole(READ.durations.parse, text) == seconds


@pytest.mark.parametrize(
    ("text", "time", "ambiguous"),
    [
        ("half past seven in the evening", "19:30", False),
        ("quarter to six", "17:45", True),
        ("seven thirty", "19:30", True),
        ("7:30", "19:30", True),
        ("7 pm", "19:00", False),
        ("7:30pm", "19:30", False),
        ("noon", "12:00", False),
        ("midnight", "00:00", False),
        ("six forty five am", "06:45", False),
        ("ten past nine", "09:10", True),
        ("five to twelve", "11:55", True),
        ("19:05", "19:05", False),
        ("eight o'clock", "20:00", True),
        ("half six", "18:30", True),
        ("twelve thirty am", "00:30", False),
        ("a quarter past eleven at night", "23:15", False),
        ("7 a.m.", "07:00", False),
        ("nine oh five", "09:05", True),
        ("nine", "09:00", True),
        ("twenty to four in the afternoon", "15:40", False),
        ("8 in the morning", "08:00", False),
        ("six twenty five", "18:25", True),
        ("twelve", "12:00", True),
    ],
)
def test_clock_times(text, time, ambiguous):
    clock = whole(READ.clocks.parse, text)
    assert clock is not None
    minutes = next_occurrence(clock, NOW.hour * 60 + NOW.minute)
    assert (f"{minutes // 60:02d}:{minutes % 60:02d}", clock.ambiguous) == (time, ambiguous)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", "2026-11-23"),
        ("tomorrow", "2026-11-24"),
        ("the day after tomorrow", "2026-11-25"),
        ("friday", "2026-11-27"),
        ("on friday", "2026-11-27"),
        ("next friday", "2026-12-04"),
        ("on the 3rd of may", "2027-05-03"),
        ("in two weeks", "2026-12-07"),
        ("december 24th", "2026-12-24"),
        ("the first of january 2028", "2028-01-01"),
        ("the twenty third", "2026-11-23"),
        ("in 3 days", "2026-11-26"),
        ("next week", "2026-11-30"),
        ("this weekend", "2026-11-28"),
        ("christmas", "2026-12-25"),
        ("may third", "2027-05-03"),
        ("29 february", "2028-02-29"),
        ("yesterday", "2026-11-22"),
        ("two weeks from now", "2026-12-07"),
    ],
)
def test_dates(text, day):
    assert whole(READ.dates.parse, text, TODAY) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("every weekday", "mon tue wed thu fri"),
        ("on mondays and wednesdays", "mon wed"),
        ("every day", "mon tue wed thu fri sat sun"),
        ("every friday", "fri"),
        ("weekends", "sat sun"),
        ("monday to thursday", "mon tue wed thu"),
        ("mondays, tuesdays and fridays", "mon tue fri"),
        ("every monday and friday", "mon fri"),
        ("friday through monday", "mon fri sat sun"),
    ],
)
def test_days(text, days):
    assert whole(READ.dates.days, text).days == tuple(days.split())


@pytest.mark.parametrize(
    ("text", "days", "half"),
    [
        ("on thursday nights", "thu", "night"),
        ("tuesday mornings", "tue", "am"),
        ("mondays and fridays in the evening", None, None),
        ("every friday evening", "fri", "pm"),
        ("every night", "mon tue wed thu fri sat sun", "night"),
        ("every weekday evening", "mon tue wed thu fri", "pm"),
        ("thursday night", None, None),
    ],
)
def test_days_with_a_part_of_the_day(text, days, half):
    read = whole(READ.dates.days, text)
    assert (read and (read.days, read.half)) == (days and (tuple(days.split()), half))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("tomorrow at eight", "2026-11-24T08:00"),
        ("in ten minutes", "2026-11-23T08:10"),
        ("at five", "2026-11-23T17:00"),
        ("on friday at noon", "2026-11-27T12:00"),
        ("at eight tomorrow morning", "2026-11-24T08:00"),
        ("tonight at 9", "2026-11-23T21:00"),
        ("at nine tonight", "2026-11-23T21:00"),
        ("tomorrow morning", "2026-11-24T08:00"),
        ("tomorrow evening at seven", "2026-11-24T19:00"),
        ("at 7 am", "2026-11-24T07:00"),
        ("two hours from now", "2026-11-23T10:00"),
        ("at half past three on the 3rd of may", "2027-05-03T15:30"),
        ("this evening", "2026-11-23T19:00"),
        ("tomorrow at 2", "2026-11-24T14:00"),
    ],
)
def test_moments(text, moment):
    found = whole(READ.moments.parse, text, NOW)
    assert found is not None
    assert found.text == moment


def test_a_duration_from_now_is_elapsed_time_across_a_clock_change():
    before = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    found = whole(READ.moments.parse, "in two hours", before)
    assert found.text == "2026-10-25T02:30"


@pytest.mark.parametrize(
    ("text", "value"),
    [("fifty percent", 50), ("50%", 50), ("half", 50), ("50", 50), ("a hundred percent", 100), ("200", None)],
)
def test_percentages(text, value):
    assert whole(READ.numbers.percent, text) == value


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("21 degrees", "C", 21),
        ("21.5°", "C", 21.5),
        ("seventy fahrenheit", "C", 21.1),
        ("20 degrees celsius", "F", 68),
        ("68 °F", "F", 68),
    ],
)
def test_temperatures(text, unit, value):
    assert whole(READ.numbers.temperature, text, unit) == value


@given(st.integers(-10_000_000, 10_000_000))
def test_whole_numbers_come_back(value):
    assert whole(READ.numbers.parse, say_number(PACK, value)) == value


@given(st.decimals(0, 1000, places=2))
def test_decimals_come_back(value):
    assert whole(READ.numbers.parse, say_number(PACK, float(value))) == float(value)


@given(st.integers(1, 300 * 86_400))
def test_durations_come_back(seconds):
    assert whole(READ.durations.parse, say_duration(PACK, seconds)) == seconds


@given(st.integers(0, 1439))
def test_times_come_back(minutes):
    clock = whole(READ.clocks.parse, say_time(PACK, f"{minutes // 60:02d}:{minutes % 60:02d}"))
    assert (clock.minutes, clock.ambiguous) == (minutes, False)


@settings(max_examples=200)
@given(st.integers(-1, 1500), st.dates(date(2024, 1, 1), date(2030, 1, 1)))
def test_dates_come_back(offset, today):
    day = today + timedelta(days=offset)
    assert whole(READ.dates.parse, say_date(PACK, day, today), today) == day


@given(st.integers(0, 60 * 24 * 300))
def test_moments_come_back(minutes):
    moment = (NOW + timedelta(minutes=minutes)).replace(tzinfo=None)
    found = whole(READ.moments.parse, say_datetime(PACK, moment, TODAY), NOW)
    assert datetime.fromisoformat(found.text).strftime("%H:%M") == moment.strftime("%H:%M")
    assert moment.date() == TODAY or datetime.fromisoformat(found.text) == moment


@given(st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1))
def test_days_come_back(days):
    assert set(whole(READ.dates.days, say_days(PACK, sorted(days))).days) == days


@given(st.integers(0, 100))
def test_percentages_come_back(value):
    assert whole(READ.numbers.percent, say_percent(PACK, value)) == value


@given(st.integers(-40, 60), st.sampled_from(["C", "F", None]))
def test_temperatures_come_back(value, unit):
    assert whole(READ.numbers.temperature, say_temperature(PACK, value, unit), unit or "C") == value


def test_lists_are_said_with_and_or_or():
    assert say_list(PACK, ["a"]) == "a"
    assert say_list(PACK, ["a", "b"]) == "a and b"
    assert say_list(PACK, ["a", "b", "c"], choice=True) == "a, b, or c"
