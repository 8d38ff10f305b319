"""Canonical values as people say them, in any language that has a pack."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from entendre.language.dates import DAYS
from entendre.language.durations import UNIT_S
from entendre.language.numbers import Number, tidy
from entendre.language.pack import LanguagePack

LARGEST_FIRST = ("day", "hour", "minute", "second")
SOON_DAYS = 6
WEEKDAYS = DAYS[:5]
WEEKEND = DAYS[5:]


def say_number(pack: LanguagePack, value: Number) -> str:
    """A number in digits with the language's decimal mark."""
    rules = pack.say["numbers"]
    number = tidy(abs(value))
    text = str(number) if isinstance(number, int) else f"{number:.10f}".rstrip("0")
    text = text.replace(".", str(rules["decimal_mark"]))
    return str(rules["minus"]).format(n=text) if value < 0 else text


def say_list(pack: LanguagePack, items: Sequence[str], *, choice: bool = False) -> str:
    """Items in a row: "a, b, and c"; with `choice`, "a, b, or c"."""
    rules = pack.say["list"]
    prefix = "or_" if choice else ""
    if len(items) < 3:
        return str(rules[f"{prefix}two"]).format(a=items[0], b=items[1]) if len(items) == 2 else "".join(items)
    return str(rules[f"{prefix}last"]).format(a=str(rules["more"]).join(items[:-1]), b=items[-1])


def say_duration(pack: LanguagePack, seconds: float) -> str:
    """A duration to the second, largest unit first."""
    rest = max(0, round(seconds))
    parts: list[str] = []
    for unit in LARGEST_FIRST:
        count, rest = divmod(rest, UNIT_S[unit])
        if count or (unit == "second" and not parts):
            forms = pack.say["duration"][unit]
            parts.append(str(forms["one" if count == 1 else "other"]).format(n=count))
    return say_list(pack, parts)


def say_time(pack: LanguagePack, time: str) -> str:
    """A wall time `HH:MM`."""
    rules = pack.say["clock"]
    hour, minute = (int(piece) for piece in time.split(":")[:2])
    if minute == 0 and hour in (0, 12):
        named = rules.get("noon" if hour else "midnight")
        if named:
            return str(named)
    half = str(rules.get("half", {}).get("am" if hour < 12 else "pm", ""))
    shown = (hour % 12 or 12) if rules["hours"] == 12 else hour
    return str(rules["other" if minute else "whole"]).format(h=shown, mm=f"{minute:02d}", half=half)


def say_ordinal(pack: LanguagePack, number: int) -> str:
    """An ordinal in digits."""
    rules = pack.say["ordinal_rules"]
    ending = rules.get("hundred", {}).get(number % 100) or rules.get("ten", {}).get(number % 10) or rules["other"]
    return f"{number}{ending}"


def say_date(pack: LanguagePack, day: date | str, today: date) -> str:
    """A date as seen from today: "tomorrow", a weekday of the coming week, or the day and month."""
    if isinstance(day, str):
        day = date.fromisoformat(day)
    rules = pack.say["date"]
    offset = (day - today).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday"}.get(offset)
    if near is not None:
        return str(rules[near])
    if 0 < offset <= SOON_DAYS:
        pattern = rules["soon"]
    else:
        pattern = rules["same_year" if day.year == today.year else "other_year"]
    return str(pattern).format(
        weekday=pack.say["weekdays"][DAYS[day.weekday()]],
        month=pack.say["months"][day.month - 1],
        ordinal=say_ordinal(pack, day.day),
        year=day.year,
    )


def say_datetime(pack: LanguagePack, moment: datetime | str, today: date) -> str:
    """A date and wall time as seen from today; the date is left out when it is today."""
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    time = say_time(pack, moment.strftime("%H:%M"))
    if moment.date() == today:
        return time
    return str(pack.say["datetime"]).format(date=say_date(pack, moment.date(), today), time=time)


def say_percent(pack: LanguagePack, value: Number) -> str:
    """A percentage."""
    return str(pack.say["percent"]).format(n=say_number(pack, value))


def say_temperature(pack: LanguagePack, value: Number, unit: str | None = None) -> str:
    """A temperature, with its unit if one is given."""
    pattern = pack.say["temperature_unit"][unit] if unit else pack.say["temperature"]
    return str(pattern).format(n=say_number(pack, value))


def say_days(pack: LanguagePack, days: Sequence[str]) -> str:
    """Days of the week on which something recurs."""
    rules = pack.say["days"]
    chosen = tuple(day for day in DAYS if day in days)
    if chosen == DAYS:
        return str(rules["every_day"])
    if chosen == WEEKDAYS:
        return str(rules["weekdays"])
    if chosen == WEEKEND:
        return str(rules["weekends"])
    spoken = [str(pack.say["weekdays"][day]) for day in chosen]
    if len(spoken) == 1:
        return str(rules["one"]).format(day=spoken[0])
    return str(rules["many"]).format(days=say_list(pack, spoken))
