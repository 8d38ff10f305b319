from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entendre.jobs.recurrence import WallTime, instant, latest_due, next_due

# Zones with large, half-hour, midnight and no changes, on both halves of the earth.
ZONES = [
    "UTC", "Europe/Paris", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata",
    "Pacific/Apia", "America/Sao_Paulo", "Asia/Kathmandu", "Africa/Casablanca", "America/Santiago", "Asia/Gaza",
]  # fmt: skip
zones = st.sampled_from(ZONES).map(ZoneInfo)
dates = st.dates(date(2000, 1, 1), date(2037, 12, 1))
times = st.times().map(lambda at: at.replace(second=0, microsecond=0))
instants = st.integers(946_684_800, 2_145_000_000).map(float)
walls = st.builds(
    WallTime,
    at=times,
    start=dates,
    days=st.frozensets(st.integers(0, 6)),
    every=st.sampled_from([None, "day", "week", "month", "year"]),
)


def at(text: str, zone: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def local(at_s: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at_s, zone).replace(tzinfo=None)


def test_a_time_that_spring_skips_means_the_first_instant_after_the_gap() -> None:
    paris = ZoneInfo("Europe/Paris")
    after_gap = datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp()
    assert instant(date(2026, 3, 29), time(2, 30), paris) == after_gap
    assert instant(date(2026, 3, 29), time(2, 0), paris) == after_gap
    assert instant(date(2026, 3, 29), time(3, 0), paris) == after_gap
    half_hour = ZoneInfo("Australia/Lord_Howe")  # 02:00 becomes 02:30 on 4 October 2026
    assert local(instant(date(2026, 10, 4), time(2, 10), half_hour), half_hour) == datetime(2026, 10, 4, 2, 30)


def test_a_time_that_autumn_repeats_means_the_first_of_both() -> None:
    paris = ZoneInfo("Europe/Paris")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()
    assert instant(date(2026, 10, 25), time(2, 30), paris) == first
    daily = WallTime(time(2, 30))
    assert next_due(daily, first - 1, paris) == first
    assert next_due(daily, first, paris) == at("2026-10-26T02:30", "Europe/Paris")


def test_an_alarm_keeps_its_wall_time_across_both_changes() -> None:
    zone, due_s = ZoneInfo("America/New_York"), at("2026-03-06T07:00", "America/New_York")
    weekdays = WallTime(time(7), days=frozenset(range(7)))
    for day in range(1, 365):
        due_s = next_due(weekdays, due_s, zone) or 0.0
        assert local(due_s, zone) == datetime(2026, 3, 6, 7) + timedelta(days=day)


@pytest.mark.parametrize(
    ("every", "start", "expected"),
    [
        ("day", "2026-02-27", ["2026-02-27", "2026-02-28", "2026-03-01"]),
        ("week", "2026-02-27", ["2026-02-27", "2026-03-06", "2026-03-13"]),
        ("month", "2026-01-31", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("year", "2024-02-29", ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]),
        (None, "2026-02-27", ["2026-02-27"]),
    ],
)
def test_repetitions(every: str | None, start: str, expected: list[str]) -> None:
    zone = ZoneInfo("Europe/Paris")
    wall = WallTime(time(9), date.fromisoformat(start), every=every)  # type: ignore[arg-type]
    found, due_s = [], next_due(wall, 0.0, zone)
    while due_s is not None and len(found) < len(expected):
        found.append(local(due_s, zone).date().isoformat())
        due_s = next_due(wall, due_s, zone)
    assert found == expected
    assert (due_s is None) == (every is None)


def test_an_alarm_without_a_date_rings_today_or_tomorrow() -> None:
    zone = ZoneInfo("Europe/Paris")
    wall = WallTime(time(7))
    assert next_due(wall, at("2026-05-01T06:59", "Europe/Paris"), zone) == at("2026-05-01T07:00", "Europe/Paris")
    assert next_due(wall, at("2026-05-01T07:00", "Europe/Paris"), zone) == at("2026-05-02T07:00", "Europe/Paris")


def test_weekdays_start_on_the_first_date() -> None:
    zone = ZoneInfo("UTC")
    wall = WallTime(time(9), date(2026, 5, 6), days=frozenset({0, 2}))  # a Wednesday
    assert next_due(wall, 0.0, zone) == at("2026-05-06T09:00", "UTC")
    assert next_due(wall, at("2026-05-06T09:00", "UTC"), zone) == at("2026-05-11T09:00", "UTC")


def test_a_skipped_date_is_passed_over() -> None:
    zone = ZoneInfo("UTC")
    wall = WallTime(time(9), days=frozenset({0, 1}))  # Monday is 4 May 2026
    after_s = at("2026-05-03T00:00", "UTC")
    assert next_due(wall, after_s, zone, skip_through=date(2026, 5, 4)) == at("2026-05-05T09:00", "UTC")


def test_the_latest_of_several_that_passed() -> None:
    zone = ZoneInfo("UTC")
    wall = WallTime(time(9), days=frozenset(range(7)))
    first = at("2026-05-01T09:00", "UTC")
    assert latest_due(wall, first, at("2026-05-20T08:59", "UTC"), zone) == at("2026-05-19T09:00", "UTC")
    assert latest_due(WallTime(time(9), date(2026, 5, 1)), first, first + 1e7, zone) == first


def test_dates_end_without_an_error() -> None:
    zone = ZoneInfo("UTC")
    end_s = at("9999-12-30T12:00", "UTC")
    for every in ("week", "month", "year"):
        assert next_due(WallTime(time(9), date(9999, 12, 1), every=every), end_s, zone) is None  # type: ignore[arg-type]


@given(dates, times, zones)
def test_an_instant_is_at_its_wall_time_or_right_after_a_gap(day: date, wall: time, zone: ZoneInfo) -> None:
    wanted = datetime.combine(day, wall)
    found = local(instant(day, wall, zone), zone)
    assert found >= wanted
    if found != wanted:  # no later than the gap is long, and the second before was before the wanted time
        assert found - wanted <= timedelta(days=1, hours=1)
        assert local(instant(day, wall, zone) - 1, zone) < wanted


@given(dates, times, zones)
def test_of_a_repeated_time_the_first_is_taken(day: date, wall: time, zone: ZoneInfo) -> None:
    due_s = instant(day, wall, zone)
    for earlier_s in (1800, 3600, 7200):
        assert local(due_s - earlier_s, zone) != datetime.combine(day, wall)


@settings(max_examples=200)
@given(walls, instants, zones)
def test_next_is_later_and_nothing_lies_between(wall: WallTime, after_s: float, zone: ZoneInfo) -> None:
    due_s = next_due(wall, after_s, zone)
    if due_s is None:
        assert not wall.repeats
        return
    assert due_s > after_s
    assert next_due(wall, due_s - 0.001, zone) == due_s
    middle_s = after_s + (due_s - after_s) / 2
    assert next_due(wall, middle_s, zone) == due_s
    day = local(due_s, zone)
    if wall.start is not None:
        assert day.date() >= wall.start
    if wall.days and day.time() == wall.at:
        assert day.weekday() in wall.days


@settings(max_examples=60)
@given(walls, instants, zones)
def test_every_occurrence_comes_once_and_in_order(wall: WallTime, after_s: float, zone: ZoneInfo) -> None:
    seen: list[float] = []
    due_s = next_due(wall, after_s, zone)
    while due_s is not None and len(seen) < 20:
        seen.append(due_s)
        due_s = next_due(wall, due_s, zone)
    assert seen == sorted(set(seen))
    if seen and wall.repeats:
        assert latest_due(wall, seen[0], seen[-1], zone) == seen[-1]
        assert latest_due(wall, seen[0], seen[-1] + 0.5, zone) == seen[-1]
