"""The formats that reply templates know: each turns a canonical value into words of one language, on one day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from entendre.language.pack import LanguagePack
from entendre.language.replies import Formatter
from entendre.language.say import (
    say_color,
    say_date,
    say_datetime,
    say_days,
    say_duration,
    say_form,
    say_list,
    say_number,
    say_ordinal,
    say_percent,
    say_temperature,
    say_time,
)

_OF_VALUE: Mapping[str, Callable[[LanguagePack, Any], str]] = {
    "number": say_number,
    "duration": say_duration,
    "time": say_time,
    "ordinal": say_ordinal,
    "percent": say_percent,
    "temperature": say_temperature,
    "days": say_days,
    "list": say_list,
    "color": say_color,
}

CASES: Mapping[str, tuple[str, Callable[[LanguagePack, Any, str], str]]] = {
    "duration": ("duration_", say_duration),
    "time": ("clock_", say_time),
}
"""What the tables of values in a grammatical case begin with: `duration_genitive`, `clock_at`."""
_JUNE = 6


def formatters(pack: LanguagePack, today: date) -> dict[str, Formatter]:
    """Every format of a language by name; `date` is relative to today, `full_date` is not."""

    def bound(say: Callable[[LanguagePack, Any], str]) -> Formatter:
        return lambda value: say(pack, value)

    found = {name: bound(say) for name, say in _OF_VALUE.items()}

    def in_case(say: Callable[[LanguagePack, Any, str], str], case: str) -> Formatter:
        return lambda value: say(pack, value, case)

    for name, (beginning, say) in CASES.items():
        cases = [key.removeprefix(beginning) for key in pack.say if key.startswith(beginning)]
        found |= {f"{name}({case})": in_case(say, case) for case in cases}
    found |= {f"form({form})": in_case(say_form, form) for form in pack.say.get("forms", ())}
    found["year"] = lambda value: str(int(value) + int(pack.say["date"].get("year_plus", 0)))
    found["date"] = lambda value: say_date(pack, value, today)
    found["full_date"] = lambda value: say_date(pack, value, _far_day(date.fromisoformat(str(value))))
    found["datetime"] = lambda value: say_datetime(pack, value, today)
    found["choice"] = lambda value: say_list(pack, value, choice=True)
    found["weekday"] = lambda value: str(pack.say["weekdays"][value])
    return found


def _far_day(day: date) -> date:
    """A day of the same year that is not near, so that the date is said in full."""
    return date(day.year, 1, 1) if day.month > _JUNE else date(day.year, 12, 31)
