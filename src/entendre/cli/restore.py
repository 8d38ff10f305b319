"""`entendre restore`: fill a database from a backup, while no server uses it."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from entendre.cli.progress import ProgressLine
from entendre.cli.settings import add_settings_flags, settings_of
from entendre.config import Settings
from entendre.core.errors import InvalidInputError
from entendre.store import open_database
from entendre.store.backup import Places
from entendre.store.lock import sole_server
from entendre.store.people.erasure import ERASURES_FILE
from entendre.store.restore import Restored, restore
from entendre.system import SystemClock


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("restore", help="fill a database from a backup")
    parser.add_argument("file", type=Path, help="what `entendre backup` wrote")
    parser.add_argument("--replace", action="store_true", help="replace the data that is there")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Restore into the database of the settings."""
    if not args.file.is_file():
        raise InvalidInputError(f"There is no file {args.file}.")
    done = asyncio.run(_run(args.file, settings_of(args), replace=args.replace))
    made = datetime.fromtimestamp(done.manifest.created_at_s, UTC).strftime("%Y-%m-%d %H:%M")
    if args.json:
        shown = {
            "rows": done.rows,
            "erased_again": done.erased_again,
            "created_at_s": done.manifest.created_at_s,
            "schema": done.manifest.schema,
            "missing": done.manifest.missing,
        }
        print(json.dumps(shown, ensure_ascii=False, indent=2))
        return 0
    again = f"; {done.erased_again} erasures since then were done again" if done.erased_again else ""
    print(f"restored {done.rows:,} rows of {made} UTC{again}")
    for name in done.manifest.missing:
        print(f"  the artifact {name} has no file: upload it again")
    return 0


async def _run(file: Path, settings: Settings, *, replace: bool) -> Restored:
    folder = settings.server.data_dir
    folder.mkdir(parents=True, exist_ok=True)
    with sole_server(folder):
        database = await open_database(settings.database_place, serving=settings.server.region)
        try:
            with ProgressLine() as progress:
                places = Places(settings.server.region, settings.artifacts_dir)
                ledger = folder / ERASURES_FILE
                return await restore(
                    database, SystemClock(), places, ledger, file, replace=replace, progress=progress.show
                )
        finally:
            await database.close()
