"""`entendre models list|get|check`: what can hear and speak, what is here, and whether it is whole."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from entendre.cli.settings import add_settings_flags, settings_of
from entendre.core.errors import ModelError
from entendre.speech.catalogue import Installed, Model, catalogue, find_model, locate, verify
from entendre.speech.fetch import get_model

MEGABYTE = 1 << 20
SHOWN_LANGUAGES = 6


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("models", help="list, fetch and check models")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="every model, and where it is")
    listing.add_argument("--json", action="store_true", help="one JSON document")
    getting = actions.add_parser("get", help="fetch models; interrupted, it goes on next time")
    getting.add_argument("names", nargs="+", metavar="NAME")
    getting.add_argument("--from", dest="folder", type=Path, metavar="FOLDER", help="copy from a folder instead")
    checking = actions.add_parser("check", help="verify the checksums of installed models")
    checking.add_argument("names", nargs="*", metavar="NAME")
    for action in (listing, getting, checking):
        add_settings_flags(action)


def run(args: argparse.Namespace) -> int:
    """List, fetch or check; 0 if all is well."""
    folder = settings_of(args).models_dir.expanduser()
    if args.action == "list":
        return _list(folder, as_json=args.json)
    if args.action == "get":
        return _get(args.names, folder, args.folder)
    return _check(args.names, folder)


def _list(folder: Path, *, as_json: bool) -> int:
    rows = [_row(model, locate(model, folder)) for model in catalogue()]
    if as_json:
        print(json.dumps({"models": rows, "folder": str(folder)}, indent=1))
        return 0
    for row in rows:
        where = f"installed: {row['origin']}" if row["installed"] else f"not installed; {row['get']}"
        size = _amount(find_model(str(row["name"])).size_bytes) or "size not known"
        print(f"{row['name']}  ({row['kind']}, {size}, {row['licence']}, {_languages(row['languages'])})")
        print(f"    {row['text']}")
        if row["levels"]:
            print(f"    {_levels(row['levels'])}")
        print(f"    {where}")
    return 0


def _row(model: Model, installed: Installed | None) -> dict[str, object]:
    program = next((source for source in model.sources if source.kind == "program"), None)
    return {
        "name": model.name,
        "kind": model.kind,
        "languages": sorted(model.languages),
        "licence": model.licence,
        "size_mb": round(model.size_bytes / MEGABYTE),
        "text": model.text,
        "levels": dict(model.levels),
        "installed": installed is not None,
        "origin": installed.origin if installed else None,
        "get": program.text if program else f"`entendre models get {model.name}`",
        "sources": [source.kind for source in model.sources],
        "pinned": all(file.sha256 for file in model.files),
    }


def _levels(levels: object) -> str:
    """How well it hears languages, the best first."""
    assert isinstance(levels, dict)
    tags = {level: [tag for tag, its in levels.items() if its == level] for level in dict.fromkeys(levels.values())}
    return "hears " + "; ".join(f"{' '.join(found)}: {level}" for level, found in tags.items())


def _languages(languages: object) -> str:
    assert isinstance(languages, list)
    if languages == ["*"]:
        return "any language"
    shown = " ".join(languages[:SHOWN_LANGUAGES])
    return shown if len(languages) <= SHOWN_LANGUAGES else f"{len(languages)} languages"


def _get(names: list[str], folder: Path, source: Path | None) -> int:
    for name in names:
        model = find_model(name)
        present = locate(model, folder)
        if present is not None and source is None and _is_whole(present):
            print(f"{name}: already installed ({present.origin})")
            continue
        installed = get_model(model, folder, progress=_Progress(), folder=source)
        print(f"{name}: installed ({installed.origin})")
    return 0


def _is_whole(installed: Installed) -> bool:
    try:
        verify(installed)
    except ModelError as error:
        print(error.public_message, file=sys.stderr)
        return False
    return True


def _check(names: list[str], folder: Path) -> int:
    models = [find_model(name) for name in names] or list(catalogue())
    failed = False
    for model in models:
        installed = locate(model, folder)
        if installed is None:
            print(f"{model.name}: not installed")
            failed = failed or bool(names)
            continue
        whole = _is_whole(installed)
        failed = failed or not whole
        print(f"{model.name}: {'ok' if whole else 'WRONG CHECKSUM'} ({len(installed.files)} files, {installed.origin})")
    return 1 if failed else 0


class _Progress:
    """One line that grows, on a terminal; a line a file otherwise."""

    def __init__(self) -> None:
        self._shown_at_s = 0.0
        self._name = ""

    def __call__(self, name: str, done: int, size: int | None) -> None:
        finished = size is not None and done >= size
        if not sys.stderr.isatty():
            if name != self._name or (finished and done):
                print(f"  {name} {_amount(done) or '…'}", file=sys.stderr)
            self._name = name
            return
        now_s = time.monotonic()
        if finished or now_s - self._shown_at_s > 0.1:
            self._shown_at_s = now_s
            share = f" of {_amount(size)} ({100 * done // size} %)" if size else ""
            print(f"\r  {name} {_amount(done)}{share}\x1b[K", end="\n" if finished else "", file=sys.stderr)


def _amount(size_bytes: int) -> str:
    """In MB, or in kB below one; empty for nothing."""
    if size_bytes >= MEGABYTE:
        return f"{size_bytes / MEGABYTE:.0f} MB"
    return f"{size_bytes / 1024:.0f} kB" if size_bytes else ""
