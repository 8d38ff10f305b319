"""Canonical values as people say them, in any language that has a pack."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from entendre.language.dates import DAYS
from entendre.language.durations import UNIT_S
from entendre.language.numbers import Number, tidy
from entendre.language.pack import LanguagePack
from entendre.language.plurals import plural_category

_OPTIONAL = re.compile(r"\[[^\[\]()]*\]")
_CHOICE = re.compile(r"\(([^()\[\]|]*)(?:\|[^()\[\]]*)?\)")
WHITES = {"warmwhite": 2700, "coolwhite": 5000}
"""Whites that are colours here, by the tone that they are called after."""
LARGEST_FIRST = ("day", "hour", "minute", "second")
SOON_DAYS = 6
HALF_HOUR = 30
NOON = 12
WEEKDAYS = DAYS[:5]
WEEKEND = DAYS[5:]


def say_number(pack: LanguagePack, value: Number) -> str:
    """A number in digits with the language's decimal mark."""
    rules = pack.say["numbers"]
    number = tidy(abs(value))
    text = str(number) if isinstance(number, int) else f"{number:.10f}".rstrip("0")
    text = text.replace(".", str(rules.get("decimal_mark", pack.numbers.decimal_mark)))
    return str(rules.get("minus", "-{n}")).format(n=text) if value < 0 else text


def say_list(pack: LanguagePack, items: Sequence[str], *, choice: bool = False) -> str:
    """Items in a row: "a, b, and c"; with `choice`, "a, b, or c"."""
    rules = pack.say["list"]
    prefix = "or_" if choice else ""
    if len(items) < 3:
        return str(rules[f"{prefix}two"]).format(a=items[0], b=items[1]) if len(items) == 2 else "".join(items)
    return str(rules[f"{prefix}last"]).format(a=str(rules["more"]).join(items[:-1]), b=items[-1])


def say_duration(pack: LanguagePack, seconds: float, case: str = "") -> str:
    """A duration to the second, largest unit first; in a grammatical case of the language if one is named."""
    table = pack.say[f"duration_{case}" if case else "duration"]
    rest = max(0, round(seconds))
    parts: list[str] = []
    for unit in LARGEST_FIRST:
        count, rest = divmod(rest, UNIT_S[unit])
        if count or (unit == "second" and not parts):
            forms = table[unit]
            form = forms.get(str(count)) or forms.get(plural_category(pack.language, count)) or forms["other"]
            parts.append(str(form).format(n=count))
    between = pack.say.get("joined_durations")
    return str(between).join(parts) if between is not None else say_list(pack, parts)


def say_time(pack: LanguagePack, time: str, case: str = "") -> str:
    """A wall time `HH:MM`, with the small words of a case of the language if one is named ("at", "it is")."""
    rules = pack.say[f"clock_{case}" if case else "clock"]
    hour, minute = (int(piece) for piece in time.split(":")[:2])
    if minute == 0 and hour in (0, 12):
        named = rules.get("noon" if hour else "midnight")
        if named:
            return str(named)
    shown = (hour % 12 or 12) if rules["hours"] == 12 else hour
    pattern = rules["other" if minute else "whole"]
    if minute == HALF_HOUR:
        pattern = rules.get("half_past", pattern)
    if isinstance(pattern, Mapping):
        pattern = pattern.get(plural_category(pack.language, shown), pattern["other"])
    named = rules.get("hour_names")
    return str(pattern).format(
        h=shown, m=minute, mm=f"{minute:02d}", half=_half(rules, hour), hour=named[hour] if named else shown
    )


def _half(rules: Mapping[str, Any], hour: int) -> str:
    """The word for the part of the day that an hour belongs to."""
    parts = rules.get("parts")
    if parts:
        return str(parts[max((start for start in parts if int(start) <= hour), key=int)])
    return str(rules.get("half", {}).get("am" if hour < NOON else "pm", ""))


def say_ordinal(pack: LanguagePack, number: int) -> str:
    """An ordinal in digits."""
    pattern = pack.say.get("ordinal")
    if pattern is not None:
        return str(pattern).format(n=number)
    rules = pack.say["ordinal_rules"]
    ending = rules.get("hundred", {}).get(number % 100) or rules.get("ten", {}).get(number % 10) or rules["other"]
    return f"{number}{ending}"


def say_date(pack: LanguagePack, day: date | str, today: date) -> str:
    """A date as seen from today: "tomorrow", a weekday of the coming week, or the day and month."""
    if isinstance(day, str):
        day = date.fromisoformat(day)
    rules = pack.say["date"]
    offset = (day - today).days
    near = {0: "today", 1: "tomorrow", -1: "yesterday", 2: "after_tomorrow"}.get(offset)
    if near is not None and near in rules:
        return str(rules[near])
    if 0 < offset <= SOON_DAYS:
        pattern = rules["soon"]
    else:
        pattern = rules["same_year" if day.year == today.year else "other_year"]
    firsts = pack.say.get("first_day")
    return str(pattern).format(
        weekday=pack.say.get("weekdays_on", pack.say["weekdays"])[DAYS[day.weekday()]],
        month=pack.say.get("months_of", pack.say["months"])[day.month - 1],
        ordinal=say_ordinal(pack, day.day),
        day=firsts if firsts and day.day == 1 else day.day,
        year=day.year + int(rules.get("year_plus", 0)),
    )


def say_form(pack: LanguagePack, name: str, form: str) -> str:
    """A name in a form of the language, such as with its article: by the first rule of `forms` that fits."""
    for ending, pattern in pack.say["forms"][form]:
        if re.search(str(ending), name.casefold()):
            return str(pattern).format(n=name)
    return name


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
    return _formed(pack, pack.say["percent"], value)


def say_temperature(pack: LanguagePack, value: Number, unit: str | None = None) -> str:
    """A temperature, with its unit if one is given."""
    pattern = pack.say["temperature_unit"][unit] if unit else pack.say["temperature"]
    return _formed(pack, pattern, value)


def _formed(pack: LanguagePack, pattern: str | Mapping[str, str], value: Number) -> str:
    """A number and what is counted, in the form that the number takes where there are several."""
    if isinstance(pattern, Mapping):
        pattern = pattern.get(plural_category(pack.language, value), pattern["other"])
    return str(pattern).format(n=say_number(pack, value))


def say_color(pack: LanguagePack, value: str) -> str:
    """A CSS colour in the words of `say.yaml`, or the first that the language reads it from, or as it is."""
    own = pack.say.get("colors", {}).get(value)
    spoken = pack.names.get("colors", {}).get(value) or pack.names.get("kelvin", {}).get(WHITES.get(value))
    reading = own or (_first_reading(str(spoken[0])) if spoken else value)
    return value if "<" in reading else str(reading)


def _first_reading(template: str) -> str:
    """The first of what a template accepts, without its optional words."""
    previous = ""
    while previous != template:
        previous, template = template, _CHOICE.sub(r"\1", _OPTIONAL.sub("", template))
    return " ".join(template.split())


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
    each = pack.say.get("weekdays_every", {})
    if len(spoken) == 1:
        return str(rules["one"]).format(day=each.get(chosen[0], spoken[0]))
    spoken = [str(each.get(day, name)) for day, name in zip(chosen, spoken, strict=True)]
    return str(rules["many"]).format(days=say_list(pack, spoken))
