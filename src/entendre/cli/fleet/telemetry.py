"""`entendre telemetry`: what devices measured and reported."""

from __future__ import annotations

import argparse
import re
import time
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.brand import BRAND
from entendre.cli.fleet.names import brand_of, device_of
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, flags, rows, run_verb

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "what devices measured and reported"
NEWEST = 50
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "telemetry", SUMMARY, VERBS)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


def ago(text: str) -> float:
    """A length of time as people write it, in seconds: 90s, 15m, 2h, 7d. Raises: ValueError."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", text.strip())
    if found is None:
        raise ValueError(text)
    return float(found[1]) * _UNITS[found[2]]


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    device = await device_of(client, brand, args.device)
    given = {} if args.since is None else {"from_s": time.time() - args.since}
    return await rows(client.telemetry.list(brand, device, **given), args.limit)


async def _newest(client: Entendre, args: argparse.Namespace) -> Any:
    found = await client.telemetry.newest(await brand_of(client, args), limit=args.limit)
    return list(found.data)


def _rows(records: list[Any]) -> str:
    from entendre.cli.fleet.records import column, listed

    columns = [column("MEASURED", "at_s"), column("DEVICE", "device"), column("WHAT", "body")]
    return listed(records, columns, "No telemetry.")


VERBS = (
    Verb(
        "list",
        "show what a device sent, oldest first",
        _list,
        flags(
            arg("device", help="id or serial number"),
            BRAND,
            arg("--since", type=ago, metavar="AGO", help="only the newer: 15m, 2h, 7d"),
            LIMIT,
        ),
        _rows,
    ),
    Verb(
        "newest",
        "show what a brand's devices sent last, newest first",
        _newest,
        flags(
            BRAND, arg("--limit", type=int, default=NEWEST, metavar="N", help=f"rows (default {NEWEST}, 200 at most)")
        ),
        _rows,
    ),
)
