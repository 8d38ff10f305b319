"""`entendre keys`: create, list and revoke API keys, also while the server runs."""

from __future__ import annotations

import argparse
import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, get_args

from entendre.cli.settings import add_settings_flags, settings_of
from entendre.config import Settings
from entendre.core.roles import Role
from entendre.ports import KeyRecord
from entendre.store import ApiKeys, Database, open_database
from entendre.store.fleet.brands import BrandStore
from entendre.system import SystemClock


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("keys", help="create, list and revoke API keys")
    actions = parser.add_subparsers(dest="keys_action", metavar="ACTION", required=True)
    add = actions.add_parser("add", aliases=["create"], help="make a key; its token is shown this once")
    add.add_argument("name", help="what the key is for, such as kitchen-speaker")
    add.add_argument("--brand", help="make it staff of this brand, a name or id; without, it may do everything")
    add.add_argument("--role", choices=get_args(Role), help="what it may do in the brand (default: viewer)")
    show = actions.add_parser("list", help="show keys, never their tokens")
    revoke = actions.add_parser("revoke", help="end a key; a running server refuses it within seconds")
    revoke.add_argument("key", help="id of the key, or its name")
    for each in (add, show, revoke):
        each.add_argument("--json", action="store_true", help="print JSON")
        add_settings_flags(each)


def run(args: argparse.Namespace) -> int:
    """Do the action on the database of the settings."""
    print(asyncio.run(_run(args, settings_of(args))))
    return 0


async def _run(args: argparse.Namespace, settings: Settings) -> str:
    database = await open_database(settings.database_place)
    try:
        keys = ApiKeys(database, SystemClock(), settings.server.region)
        if args.keys_action == "list":
            records = await keys.list()
            return _as_json([asdict(each) for each in records]) if args.json else _as_table(records)
        if args.keys_action == "revoke":
            record = await keys.revoke(args.key)
            return _as_json(asdict(record)) if args.json else f"revoked {record.id} {record.name}"
        brand = await _brand(args.brand, database, settings) if args.brand else None
        token, record = await keys.add(args.name, brand=brand, role=_role(args))
        return _as_json(asdict(record) | {"token": token}) if args.json else token
    finally:
        await database.close()


async def _brand(named: str, database: Database, settings: Settings) -> str:
    """The id of a brand. Raises: NotFoundError."""
    brands = BrandStore(database, SystemClock(), settings.server.region)
    await brands.ensure_home()
    return (await brands.brand(named)).id


def _role(args: argparse.Namespace) -> Role | None:
    return args.role or ("viewer" if args.brand else None)


def _as_json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def _as_table(records: tuple[KeyRecord, ...]) -> str:
    rows = [("ID", "NAME", "BRAND", "ROLE", "CREATED", "LAST USED", "REVOKED")]
    rows += [
        (
            each.id,
            each.name,
            each.brand or "-",
            each.role or "-",
            _day(each.created_at_s),
            _day(each.last_used_at_s),
            _day(each.revoked_at_s),
        )
        for each in records
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _day(at_s: float | None) -> str:
    return "-" if at_s is None else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M")
