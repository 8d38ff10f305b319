"""`entendre markets list|show|check`: the countries that this program knows, and what each of their languages lacks."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from entendre.cli.fleet.terminal import table
from entendre.cli.markets.finding import MISSING, Finding
from entendre.cli.markets.language import check_language, is_begun
from entendre.cli.markets.market import check_market
from entendre.core.errors import InvalidInputError
from entendre.core.tags import base_tag
from entendre.markets.loader import languages
from entendre.markets.market import Market, market_of, market_text, markets, shown


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser("markets", help="countries: languages, formats, policy, and what is missing")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="every market")
    showing = actions.add_parser("show", help="all that is written down of one")
    showing.add_argument("code", metavar="CODE", help="two letters, such as IN")
    checking = actions.add_parser("check", help="what markets and languages lack; 1 if anything is missing")
    checking.add_argument("codes", nargs="*", metavar="CODE", help="markets, or languages such as hi; all without")
    for action in (listing, showing, checking):
        action.add_argument("--json", action="store_true", help="one JSON document")


def run(args: argparse.Namespace) -> int:
    """Show markets; 0 if all is well."""
    match args.action:
        case "list":
            return _list(as_json=args.json)
        case "check":
            return _check(args.codes, as_json=args.json)
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


def _check(codes: list[str], *, as_json: bool) -> int:
    wanted_markets, wanted_languages = _asked(codes)
    found: list[Finding] = []
    for language in wanted_languages:
        found += check_language(language)
    for market in wanted_markets:
        found += check_market(market)
    lacking = [each for each in found if each.severity == MISSING]
    if as_json:
        print(json.dumps({"ok": not lacking, "findings": [asdict(each) for each in found]}, ensure_ascii=False))
    else:
        for each in found:
            print(f"{each.severity:8}{each.about:5} {each.place}: {each.text}")
        checked = [*(market.code for market in wanted_markets), *wanted_languages]
        print(f"{len(lacking)} missing, {len(found) - len(lacking)} notes in {' '.join(checked)}")
    return 1 if lacking else 0


def _asked(codes: list[str]) -> tuple[list[Market], list[str]]:
    """Markets and languages to look at: a market brings its languages. Raises: InvalidInputError."""
    chosen = [wanted(code) for code in codes if code.isupper()] if codes else list(markets().values())
    spoken = [code for code in codes if not code.isupper()]
    spoken += [base_tag(tag) for market in chosen for tag in market.languages]
    unknown = sorted(set(spoken) - {base_tag(tag) for market in markets().values() for tag in market.languages})
    unknown = [tag for tag in unknown if not is_begun(tag)]
    if unknown:
        raise InvalidInputError(f"There is no market or language {', '.join(unknown)}.")
    return chosen, list(dict.fromkeys([*spoken, *(() if codes else languages())]))


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
