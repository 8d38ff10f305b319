"""Maintenance windows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from entendre.core.errors import InvalidInputError
from entendre.fleet.windows import Window, check_window, is_open


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_without_a_window_it_is_always_open() -> None:
    assert is_open(None, 0.0)


# 2026-11-30 is a Monday.
@pytest.mark.parametrize(
    ("window", "when", "opened"),
    [
        (Window("02:00", "05:00"), "2026-11-30T02:00", True),
        (Window("02:00", "05:00"), "2026-11-30T04:59", True),
        (Window("02:00", "05:00"), "2026-11-30T05:00", False),
        (Window("02:00", "05:00", ("tue",)), "2026-11-30T03:00", False),
        (Window("22:00", "06:00", ("mon",)), "2026-11-30T23:00", True),
        (Window("22:00", "06:00", ("mon",)), "2026-12-01T05:59", True),
        (Window("22:00", "06:00", ("mon",)), "2026-12-01T06:00", False),
        (Window("22:00", "06:00", ("mon",)), "2026-11-30T05:00", False),
        (Window("22:00", "06:00", ("mon",)), "2026-12-01T23:00", False),
        (Window("00:00", "00:00", ("mon",)), "2026-11-30T12:00", True),
        (Window("00:00", "00:00", ("mon",)), "2026-12-01T00:00", False),
    ],
)
def test_windows(window: Window, when: str, opened: bool) -> None:
    assert is_open(window, at(when)) is opened


def test_the_time_is_the_devices_own_unless_one_is_given() -> None:
    night = at("2026-11-30T03:00")
    assert is_open(Window("02:00", "05:00"), night, "UTC")
    assert not is_open(Window("02:00", "05:00"), night, "Asia/Tokyo")
    assert is_open(Window("11:00", "14:00"), night, "Asia/Tokyo")
    assert is_open(Window("02:00", "05:00", zone="UTC"), night, "Asia/Tokyo")
    assert is_open(Window("02:00", "05:00"), night, "no/where")


@pytest.mark.parametrize("zone", ["Nowhere/Else", "../UTC", "/etc", "Europe"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(InvalidInputError):
        check_window(Window("02:00", "05:00", zone=zone))
