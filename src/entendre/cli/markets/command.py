"""`entendre markets list|show|check`: the countries that this program knows, and what each of their languages lacks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from entendre.cli.fleet.terminal import table
from entendre.core.errors import InvalidInputError
from entendre.markets.market import Market, market_of, market_text, markets, shown


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("markets", help="countries: languages, formats, policy, and what is missing")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="every market")
    showing = actions.add_parser("show", help="all that is written down of one")
    showing.add_argument("code", metavar="CODE", help="two letters, such as IN")
    for action in (listing, showing):
        action.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Show markets; 0 if all is well."""
    match args.action:
        case "list":
            return _list(as_json=args.json)
        case _:
            return _show(wanted(args.code), as_json=args.json)


def wanted(code: str) -> Market:
    """The market of a code. Raises: InvalidInputError."""
    market = market_of(code)
    if market is None:
        raise InvalidInputError(f"There is no market {code}; there are {', '.join(markets())}.")
    return market


def _list(*, as_json: bool) -> int:
    known = list(markets().values())
    if as_json:
        print(json.dumps({"markets": [shown(market) for market in known]}, ensure_ascii=False))
        return 0
    titles = ("CODE", "NAME", "LANGUAGES", "HOURS", "DATE", "NUMBER", "CURRENCY", "CHILD UNDER", "NEVER")
    print(table(titles, [tuple(_row(market)) for market in known]))
    return 0


def _row(market: Market) -> Iterator[str]:
    yield from (market.code, market.name, " ".join(market.languages))
    number = written_number(market, 1_234_567.5).replace("\u00a0", " ")
    yield from (str(market.formats.hours), market.formats.date_order, number)
    yield from (f"{market.currency.code} {market.currency.symbol}", str(market.policy.consent_age))
    yield " ".join(sorted(purpose.value for purpose in market.policy.never))


def _show(market: Market, *, as_json: bool) -> int:
    print(json.dumps(shown(market), ensure_ascii=False) if as_json else market_text(market).rstrip())
    return 0


def written_number(market: Market, value: float) -> str:
    """A number as it is written there."""
    whole, _, rest = f"{value:.10f}".rstrip("0").rstrip(".").partition(".")
    groups: list[str] = []
    sizes = list(market.formats.groups)
    while whole:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        groups.insert(0, whole[-size:])
        whole = whole[:-size]
    text = market.formats.group_mark.join(groups)
    return f"{text}{market.formats.decimal_mark}{rest}" if rest else text
