"""Maintenance windows: when a device may be offered something, by the time on its own wall or on a given one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from entendre.core.errors import InvalidInputError

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
MAX_ZONE_CHARS = 64


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `start` until before `end`, on these days. An `end` that is not later is on the next day.

    `zone`: an IANA name; empty is each device's own.
    """

    start: TimeOfDay
    end: TimeOfDay
    days: Annotated[tuple[Day, ...], Meta(min_length=1, max_length=7)] = DAYS
    zone: Annotated[str, Meta(max_length=MAX_ZONE_CHARS)] = ""


def check_window(window: Window) -> None:
    """Raises: InvalidInputError for an unknown time zone."""
    if window.zone and zone_named(window.zone) is None:
        raise InvalidInputError(f"There is no time zone {window.zone!r}: write it like Europe/Paris.")


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of an IANA name; None where there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # no such key, a path instead of a name, a folder
        return None


def is_open(window: Window | None, now_s: float, device_zone: str = "") -> bool:
    """Whether it is open now. A device of an unknown zone is taken to live in UTC."""
    if window is None:
        return True
    zone = zone_named(window.zone or device_zone or "UTC") or UTC
    local = datetime.fromtimestamp(now_s, UTC).astimezone(zone)
    start_min, end_min = _minutes(window.start), _minutes(window.end)
    now_min = local.hour * 60 + local.minute
    today, yesterday = DAYS[local.weekday()], DAYS[(local - timedelta(days=1)).weekday()]
    if start_min < end_min:
        return today in window.days and start_min <= now_min < end_min
    return (today in window.days and now_min >= start_min) or (yesterday in window.days and now_min < end_min)


def _minutes(time_of_day: str) -> int:
    hours, minutes = time_of_day.split(":")
    return int(hours) * 60 + int(minutes)
