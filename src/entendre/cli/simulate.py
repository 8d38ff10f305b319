"""`entendre simulate fleet`: devices by the thousand, from the factory to a finished rollout, against a real server."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import time
from typing import Any

from entendre.core.errors import InvalidInputError

QUIET = (
    *("speech.recognizer=none", "speech.voice=none", "api.requests_per_s=0", "fleet.artifact_mb=16"),
    *("xiaozhi.enabled=false", "device_mqtt.port=0", "device_mqtt.tls_port=0"),
)
"""Settings of the server that is started: a fleet needs no engines, and comes from one machine."""


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("simulate", help="a fleet of simulated devices against a real server")
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    fleet = kinds.add_parser("fleet", help="enrol devices, and roll out a faulty release and a mended one")
    fleet.add_argument("--devices", type=int, default=10_000, metavar="N", help="how many (default 10000)")
    fleet.add_argument(
        "--groups", default="1,10,100", metavar="PERCENTS", help="groups of the rollouts (default 1,10,100)"
    )
    fleet.add_argument(
        "--fail", default="3", metavar="PERCENT", help="devices of group two that can't run the first (default 3)"
    )
    fleet.add_argument(
        "--threshold", default="2", metavar="PERCENT", help="devices of a group that may fail (default 2)"
    )
    fleet.add_argument(
        "--download", default="1", metavar="PERCENT", help="devices that fetch files, cut off once (default 1)"
    )
    fleet.add_argument("--seed", type=int, default=1, help="of chance (default 1)")
    fleet.add_argument("--url", help="a server that runs already; without it one is started and thrown away")
    fleet.add_argument("--key", help="an API key of whoever runs that server")
    fleet.add_argument("--database", default="", metavar="URL", help="PostgreSQL for the server that is started")
    fleet.add_argument("--json", action="store_true", help="print the figures as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Simulate and show; 1 if anything was not as it should be, 130 if it was interrupted."""
    from entendre.bench.server import measured_server
    from entendre.bench.simulate.fleet import FleetOptions, FleetProgress
    from entendre.cloud.signatures import require_cryptography

    require_cryptography()
    options = FleetOptions(
        devices=_between(args.devices, 10, 1_000_000, "--devices"),
        groups=_groups(args.groups),
        fail_percent=_percent(args.fail, "--fail"),
        threshold_percent=_percent(args.threshold, "--threshold"),
        download_percent=_percent(args.download, "--download"),
        seed=args.seed,
    )
    progress = FleetProgress(options.devices)
    flags = [word for each in QUIET for word in ("--set", each)]
    flags += ["--database", args.database] if args.database else []
    with measured_server(args.url, *flags) as server:
        figures = asyncio.run(_shown(server.url, args.key, options, progress, as_json=args.json))
    if figures is None:
        print("interrupted")
        return 130
    print(json.dumps(figures, ensure_ascii=False) if args.json else _table(figures))
    return 1 if figures["unexpected"] else 0


async def _shown(url: str, key: str | None, options: Any, progress: Any, *, as_json: bool) -> dict[str, Any] | None:
    """The figures, with a view meanwhile; None if it was interrupted."""
    from entendre.bench.simulate.fleet import simulate_fleet
    from entendre.cli.simulate_view import view_of

    brand = f"sim-{int(time.time())}"
    work = asyncio.create_task(simulate_fleet(url, key, brand, options, progress))
    view = asyncio.create_task(view_of(progress, as_json=as_json).run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, work.cancel)
    try:
        return await work
    except asyncio.CancelledError:
        return None
    finally:
        view.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await view


def _table(figures: dict[str, Any]) -> str:
    stopped = figures.get("stopped")
    rows = [("devices", f"{figures['devices']:,}")]
    rows += [(name, f"{seconds:.1f} s") for name, seconds in figures["steps_s"].items()]
    if stopped is not None:
        failed = f"{stopped['failed']} of {stopped['of']:,} failed, at most {stopped['limit']} may"
        rows.append(("stopped by itself", f"in group {stopped['group']}: {failed}"))
        rows.append(("updated before that", f"{stopped['updated_before']:,}"))
    rows += [("failed once, retried", f"{figures.get('failed_once', 0):,}"), ("updated", f"{figures['updated']:,}")]
    rows.append(("requests", f"{figures['requests']:,} in {figures['seconds']:.1f} s"))
    rows.append(("as expected", "no: " + "; ".join(figures["unexpected"]) if figures["unexpected"] else "yes"))
    return "\n" + "\n".join(f"{name:<22}{value}" for name, value in rows)


def _groups(text: str) -> tuple[float, ...]:
    groups = tuple(_percent(each, "--groups") for each in text.split(","))
    if len(groups) < 3 or groups[-1] != 100 or not all(groups):
        raise InvalidInputError("--groups has three percents or more, the last one 100: 1,10,100.")
    return groups


def _percent(text: str, name: str) -> float:
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise InvalidInputError(f"{name} has percents between 0 and 100.")
    return value


def _between(value: int, low: int, high: int, name: str) -> int:
    if not low <= value <= high:
        raise InvalidInputError(f"{name} is between {low} and {high:,}.")
    return value
