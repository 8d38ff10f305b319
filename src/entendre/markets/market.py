"""A market: what the program must get right in one country, read from `markets/<country>/market.yaml` and checked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from entendre.core.consent import Purpose
from entendre.core.errors import InvalidInputError
from entendre.markets.loader import read_yaml

FILE = "market.yaml"
Tag = Annotated[str, Meta(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$")]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text = Annotated[str, Meta(min_length=1, max_length=300)]
Clock = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Days = Annotated[int, Meta(ge=0, le=3_660)]


class MarketLanguage(Struct, frozen=True, forbid_unknown_fields=True):
    """A language of a market: voices and wake words of our catalogue, the first that is installed first."""

    voices: tuple[Name, ...]
    wake_words: tuple[Name, ...] = ()


class Formats(Struct, frozen=True, forbid_unknown_fields=True):
    """How values are written and said. `groups`: digits of a number's groups from the right; the last one repeats."""

    hours: Literal[12, 24]
    date_order: Literal["dmy", "mdy", "ymd"]
    decimal_mark: Literal[".", ","]
    group_mark: Literal[".", ",", "\u00a0"]
    groups: tuple[Literal[2, 3, 4], ...] = (3,)
    first_weekday: Literal["mon", "sat", "sun"] = "mon"
    calendar: Literal["gregorian", "buddhist"] = "gregorian"


class Currency(Struct, frozen=True, forbid_unknown_fields=True):
    """The currency; `spoken`: by language, its name, with plural forms after "|" where the language has them."""

    code: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]
    symbol: Text
    spoken: dict[Tag, Text]


class Units(Struct, frozen=True, forbid_unknown_fields=True):
    """Units of a market. `local`: those that people still use beside the metric ones, by the calculator's names."""

    temperature: Literal["C", "F"]
    distance: Literal["km", "mile"] = "km"
    local: tuple[Name, ...] = ()


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """What a country asks for: pointers that a lawyer checks before anyone relies on them. Defaults: the strictest.

    `consent_age`: below it a guardian consents. `answer_days`: for an export or an erasure that is asked for.
    `never`: what is not done there at all, whatever anybody consents to. `history_days`: the most that conversations
    are kept. `quiet_hours`: when nothing that nobody asked for is said, from and until.
    """

    consent_age: Annotated[int, Meta(ge=0, le=21)] = 18
    answer_days: Days = 15
    breach_hours: Annotated[int, Meta(gt=0, le=72)] = 72
    residency: Literal["country", "anywhere"] = "country"
    history_days: Days = 400
    quiet_hours: tuple[Clock, Clock] = ("22:00", "08:00")
    never: frozenset[Purpose] = frozenset()
    notes: tuple[Text, ...] = ()


class Market(Struct, frozen=True, forbid_unknown_fields=True):
    """One country. `languages` in the order in which they are offered; `numbers`: number words of its own, by value."""

    code: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
    name: Text
    languages: dict[Tag, MarketLanguage]
    formats: Formats
    currency: Currency
    units: Units
    numbers: dict[Text, Annotated[int, Meta(gt=0)]] = {}
    policy: Policy = Policy()

    @property
    def language(self) -> str:
        """The language of a device of this country that says none."""
        return next(iter(self.languages))


STRICTEST = Policy()
_KEY = re.compile(r"\$\.([\w.\[\]…-]+)")


def market_folders() -> Iterator[Traversable]:
    """The folders that hold a market."""
    root = files("entendre.markets")
    folders = (each for each in root.iterdir() if each.is_dir() and (each / FILE).is_file())
    yield from sorted(folders, key=lambda each: each.name)


def read_market(folder: Traversable | Path) -> Market:
    """A market from its folder. Raises: InvalidInputError that names the file and the key."""
    place = f"markets/{folder.name}/{FILE}"
    document = read_yaml(folder / FILE, place)
    try:
        market = msgspec.convert(document, Market, strict=True)
    except msgspec.ValidationError as problem:
        raise _wrong(place, problem) from problem
    if market.code.lower() != folder.name:
        raise InvalidInputError(f"{place}, code: {market.code} must be the folder's name in capitals.")
    if not market.languages:
        raise InvalidInputError(f"{place}, languages: a market has at least one language.")
    return market


def _wrong(place: str, problem: msgspec.ValidationError) -> InvalidInputError:
    """The problem with the key first, as whoever wrote the file looks for it."""
    text = str(problem)
    found = _KEY.search(text)
    what = text.partition(" - at ")[0]
    return InvalidInputError(f"{place}, {found.group(1)}: {what}." if found else f"{place}: {what}.")


@lru_cache(maxsize=1)
def markets() -> dict[str, Market]:
    """Every market by its country's code. Raises: InvalidInputError."""
    found = [read_market(folder) for folder in market_folders()]
    return {market.code: market for market in found}


def market_of(country: str | None) -> Market | None:
    """The market of an ISO 3166 country; None for one that nobody wrote down."""
    return markets().get((country or "").upper())


def policy_of(country: str | None) -> Policy:
    """The policy of a country; the strictest of each for one that nobody wrote down."""
    market = market_of(country)
    return market.policy if market is not None else _strictest()


@lru_cache(maxsize=1)
def _strictest() -> Policy:
    """The strictest defaults, with what is not done in any market."""
    return replace(STRICTEST, never=frozenset().union(*(market.policy.never for market in markets().values())))


def market_text(market: Market) -> str:
    """The file of a market, with its comments."""
    return (files("entendre.markets") / market.code.lower() / FILE).read_text(encoding="utf-8")


def shown(market: Market) -> dict[str, Any]:
    """A market as plain values, for JSON."""
    plain: dict[str, Any] = msgspec.to_builtins(market)
    return plain
