"""`entendre bench`: measure this machine. The figures' meaning is in docs/performance.md."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from entendre.core.errors import InvalidInputError

DEFAULT_ENDS_FILE = Path("out/bench/ends.json")
DEFAULT_CASES = Path("tests/unit/skills/spoken")


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("bench", help="measure response gap, load, idle connections, understanding, storage")
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    gap = kinds.add_parser("gap", help="from the true end of speech to the first reply audio")
    _add_talking(gap)
    gap.add_argument("--count", type=int, default=60, metavar="N", help="recordings to say (default 60)")
    gap.add_argument("--no-pauses", action="store_true", help="leave out the test for cut-offs at pauses")
    gap.add_argument("--detection", choices=("semantic_vad", "server_vad"), default="semantic_vad")
    gap.add_argument("--ends", type=Path, default=DEFAULT_ENDS_FILE, metavar="FILE", help="where true ends are kept")
    load = kinds.add_parser("load", help="many speakers at once")
    _add_talking(load)
    load.add_argument("--conversations", type=int, metavar="N", help="without it, search for the largest that holds")
    load.add_argument(
        "--protocol", choices=("realtime", "xiaozhi"), default="realtime", help="apps, or simulated xiaozhi devices"
    )
    load.add_argument("--seconds", type=float, default=25.0, help="how long each number is tried (default 25)")
    idle = kinds.add_parser("idle", help="memory of idle connections and event-loop lag")
    idle.add_argument("--connections", type=int, default=1000, metavar="N")
    understand = kinds.add_parser("understand", help="time a sentence against hassil alone")
    languages = kinds.add_parser("languages", help="time to understand in every language, and the memory of all")
    languages.add_argument(
        "--sentences", type=Path, default=DEFAULT_CASES, metavar="FOLDER", help=f"(default {DEFAULT_CASES})"
    )
    intents = kinds.add_parser("intents", help="the test sentences of Home Assistant's intents, from a checkout")
    intents.add_argument("checkout", type=Path, metavar="CHECKOUT", help="of github.com/OHF-Voice/intents")
    for each in (languages, intents):
        each.add_argument(
            "--language", action="append", default=[], metavar="TAG", help="only this one; may be repeated"
        )
    storm = kinds.add_parser("storm", help="memory under bad peers that come and go")
    storm.add_argument("--minutes", type=float, default=10.0)
    store = kinds.add_parser("store", help="reads and writes of the database")
    fleet = kinds.add_parser("fleet", help="twin patches, telemetry, commands and queries, on SQLite and PostgreSQL")
    fleet.add_argument(
        "--database", default="", metavar="URL", help="an empty PostgreSQL database; without it, one is started here"
    )
    fleet.add_argument("--devices", type=int, default=100_000, metavar="N", help="to query (default 100000)")
    fuzz = kinds.add_parser("fuzz", help="damaged bytes for every codec: none may raise, none may grow")
    fuzz.add_argument("--inputs", type=int, default=1_000_000, metavar="N", help="for each codec (default 1000000)")
    fuzz.add_argument("--codec", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    fuzz.add_argument("--seed", type=int, default=1, help="of chance (default 1)")
    spoken = kinds.add_parser("spoken", help="commands said aloud: heard, understood and done, by language")
    spoken.add_argument("--language", action="append", default=[], metavar="TAG", help="may be repeated; all without")
    spoken.add_argument("--cases", type=Path, default=DEFAULT_CASES, metavar="FOLDER", help=f"default {DEFAULT_CASES}")
    spoken.add_argument("--data", type=Path, metavar="FOLDER", help="recordings (default: ENTENDRE_SPEECH_DATA)")
    spoken.add_argument("--recognizer", default="whisper-base", metavar="NAME", help="default whisper-base")
    spoken.add_argument("--count", type=int, default=20, metavar="N", help="commands of a language (default 20)")
    spoken.add_argument("--models-dir", type=Path, metavar="FOLDER", help="default: that of the settings")
    whole = kinds.add_parser("all", help="all of these, briefly")
    for each in (gap, load, idle, storm, understand, languages, intents, store, fleet, fuzz, spoken, whole):
        each.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Measure and print."""
    kinds = ("understand", "store", "idle", "gap", "load") if args.kind == "all" else (args.kind,)
    reports: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        if args.kind == "all":
            _show(f"{kind} …")
            given = [kind, "--count", "30"] if kind == "gap" else [kind]
            each = _parsed([*given, *(["--conversations", "16"] if kind == "load" else []), "--json"])
        else:
            each = args
        reports[kind] = _measured(kind, each)
        if not args.json:
            _print_report(kind, reports[kind])
    if args.json:
        print(json.dumps(reports if args.kind == "all" else reports[args.kind], ensure_ascii=False))
    return 1 if any(report.get("raised") for report in reports.values()) else 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(dest="command"))
    return parser.parse_args(["bench", *arguments])


def _measured(kind: str, args: argparse.Namespace) -> dict[str, Any]:
    if kind == "gap":
        from entendre.bench.gap import GapOptions, measure_gap

        talking = GapOptions(
            data=_data(args),
            count=args.count,
            language=args.language,
            url=args.url,
            key=_key(),
            detection=args.detection,
            pauses=not args.no_pauses,
            ends_file=args.ends,
        )
        return _run(measure_gap(talking, _show))
    if kind == "load":
        from entendre.bench.load import LoadOptions, measure_load

        many = LoadOptions(
            args.conversations, args.seconds, _data(args), args.language, args.url, _key(), protocol=args.protocol
        )
        return _run(measure_load(many, _show))
    if kind == "idle":
        from entendre.bench.idle import IdleOptions, measure_idle

        return _run(measure_idle(IdleOptions(args.connections, _key()), _show))
    if kind == "storm":
        from entendre.bench.storm import StormOptions, measure_storm

        return _run(measure_storm(StormOptions(args.minutes), _show))
    if kind == "fleet":
        from entendre.bench.fleet import FleetOptions, measure_fleet

        return _run(measure_fleet(FleetOptions(args.database, args.devices), _show))
    if kind == "fuzz":
        from entendre.bench.fuzz import FuzzOptions, measure_fuzz
        from entendre.bench.machine import describe_machine

        given = FuzzOptions(args.inputs, tuple(args.codec), args.seed)
        return {"machine": describe_machine()} | measure_fuzz(given, _show)
    if kind == "languages":
        from entendre.bench.languages import measure as measure_languages
        from entendre.bench.machine import describe_machine

        return {"machine": describe_machine()} | measure_languages(args.sentences, args.language)
    if kind == "intents":
        from entendre.bench.intents import measure_all

        return measure_all(args.checkout, args.language)
    if kind == "spoken":
        return _spoken(args)
    return _timed(kind)


def _spoken(args: argparse.Namespace) -> dict[str, Any]:
    """Each language with cases, one after another."""
    from entendre.bench.machine import describe_machine
    from entendre.bench.spoken import SpokenOptions, measure_spoken
    from entendre.config import Settings

    report: dict[str, Any] = {"machine": describe_machine()}
    data, folder = _data(args), args.models_dir or Settings().models_dir.expanduser()
    languages = args.language or sorted(path.stem for path in args.cases.glob("*.txt") if "_" not in path.stem)
    for language in languages:
        given = SpokenOptions(language, folder, args.cases, data, args.recognizer, args.count)
        report[language] = measure_spoken(given, _show)
    return report


def _timed(kind: str) -> dict[str, Any]:
    """The benchmarks without a server."""
    from entendre.bench.machine import describe_machine

    report: dict[str, Any]
    if kind == "understand":
        from entendre.bench.understand import run as measure_understanding

        with contextlib.redirect_stdout(io.StringIO()):  # it prints by itself what is printed below
            report = measure_understanding(json=True)
    else:
        from entendre.bench.store import measure as measure_store

        report = measure_store()
    return {"machine": describe_machine()} | report


def _run(measurement: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    loop_factory: Any = None
    if sys.platform != "win32":
        import uvloop

        loop_factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(measurement)


def _add_talking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="recordings (default: ENTENDRE_SPEECH_DATA)")
    parser.add_argument("--language", default="en")
    parser.add_argument("--url", help="measure a running server instead of a fresh one")


def _data(args: argparse.Namespace) -> Path | None:
    """The folder of recordings; without one the server's own voice speaks."""
    if args.data is not None:
        if not args.data.is_dir():
            raise InvalidInputError(f"There is no folder {args.data}.")
        return Path(args.data)
    named = Path(os.environ.get("ENTENDRE_SPEECH_DATA") or "../shared/data")
    if named.is_dir():
        return named
    _show("no recordings (ENTENDRE_SPEECH_DATA): the server's own voice speaks, which is easier to hear than people")
    return None


def _key() -> str:
    return os.environ.get("ENTENDRE_KEY", "")


def _show(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _print_report(kind: str, report: dict[str, Any]) -> None:
    print(f"{kind}:")
    for name, value in report.items():
        print(f"  {name:22} {json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value}")
