"""`entendre backup`: everything of the database and its files in one file, also while the server runs."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from entendre.cli.fleet.terminal import size
from entendre.cli.progress import ProgressLine
from entendre.cli.settings import add_settings_flags, settings_of
from entendre.config import Settings
from entendre.core.errors import NotFoundError
from entendre.store import open_database
from entendre.store.archive import Manifest
from entendre.store.backup import Places, back_up
from entendre.system import SystemClock


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("backup", help="write everything into one file, while the server runs")
    parser.add_argument("file", type=Path, help="the file to make, such as entendre.backup")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_settings_flags(parser)


def run(args: argparse.Namespace) -> int:
    """Back up the database of the settings."""
    manifest = asyncio.run(_run(args.file, settings_of(args)))
    rows = sum(table.rows for table in manifest.tables.values())
    size_bytes = args.file.stat().st_size
    if args.json:
        shown = {
            "file": str(args.file),
            "bytes": size_bytes,
            "rows": rows,
            "schema": manifest.schema,
            "region": manifest.region,
            "missing": manifest.missing,
        }
        print(json.dumps(shown, ensure_ascii=False, indent=2))
        return 0
    print(f"{args.file}: {rows:,} rows, {size(size_bytes)}")
    for name in manifest.missing:
        print(f"  without the file of the artifact {name}, which is not there")
    return 0


async def _run(file: Path, settings: Settings) -> Manifest:
    place = settings.database_place
    if isinstance(place, Path) and not place.is_file():
        raise NotFoundError(
            f"There is no database {place}: name its folder with --data-dir, or its URL with --database."
        )
    database = await open_database(place)
    try:
        with ProgressLine() as progress:
            places = Places(settings.server.region, settings.artifacts_dir)
            return await back_up(database, SystemClock(), places, file, progress.show)
    finally:
        await database.close()
