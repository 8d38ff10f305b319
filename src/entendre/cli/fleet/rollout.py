"""`entendre rollout`: bring a release to many devices in groups, watch it, and stop it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.brand import BRAND
from entendre.cli.fleet.names import brand_of, id_of
from entendre.cli.fleet.release import release_of
from entendre.cli.fleet.rollout_view import watch
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, flags, rows, run_verb
from entendre.core.errors import InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "bring a release to many devices, in groups"
MAX_PLAN_BYTES = 64 * 1024
STATES = ("waiting", "offered", "downloading", "installing", "succeeded", "failed", "timed_out", "cancelled")


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "rollout", SUMMARY, VERBS)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


def plan_of(args: argparse.Namespace) -> Any:
    """The plan of a file, or of flags: `--group 5 --group 25 --group 100`. Raises: InvalidInputError."""
    import msgspec

    from entendre.fleet.rollouts import Group, Plan

    if args.plan is not None:
        try:
            with args.plan.open("rb") as opened:
                return msgspec.json.decode(opened.read(MAX_PLAN_BYTES), type=Plan)
        except OSError as error:
            raise InvalidInputError(f"{args.plan} can't be read: {error.strerror}.") from error
        except msgspec.DecodeError as error:
            raise InvalidInputError(f"{args.plan} is no plan of a rollout: {error}") from error
    percents = args.group or [100.0]
    if percents[-1] != 100.0:
        percents = [*percents, 100.0]
    groups = [
        Group(
            percent=each,
            error_percent=args.error_percent,
            success_percent=args.success_percent,
            approval=args.approval and at > 0,
        )
        for at, each in enumerate(percents)
    ]
    more = {name: getattr(args, name) for name in ("max_attempts", "timeout_s") if getattr(args, name) is not None}
    return Plan(groups=tuple(groups), **more)


async def rollout_of(client: Entendre, brand: str, word: str) -> str:
    """The id of a rollout, by id, a part of it, or its name. Raises: NotFoundError, InvalidInputError."""
    return await id_of(word, "rollout", client.rollouts.list(brand), lambda each: (each.name,) if each.name else ())


async def _create(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    release = await release_of(client, brand, args.release)
    made = await client.rollouts.create(brand, release=release, plan=plan_of(args), name=args.name, query=args.query)
    return await client.rollouts.start(brand, made.id) if args.start else made


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.rollouts.list(await brand_of(client, args)), args.limit)


async def _show(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.rollouts.get(brand, await rollout_of(client, brand, args.rollout))


async def _operate(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    operation = getattr(client.rollouts, args.verb)
    return await operation(brand, await rollout_of(client, brand, args.rollout))


async def _devices(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    rollout = await rollout_of(client, brand, args.rollout)
    return await rows(client.rollouts.list_devices(brand, rollout, state=args.state), args.limit)


async def _events(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    rollout = await rollout_of(client, brand, args.rollout)
    return await rows(client.rollouts.list_events(brand, rollout), args.limit)


async def _watch(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await watch(client, brand, await rollout_of(client, brand, args.rollout), as_json=args.json)


def _rollouts(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, Column, column, listed

    done = Column("DONE", lambda each: f"{_sum(each, 'succeeded')} of {_sum(each, 'total')}")
    failed = Column("FAILED", lambda each: str(_sum(each, "failed") + _sum(each, "timed_out")))
    columns = [column("NAME", "name"), column("PRODUCT", "product"), column("NUMBER", "number")]
    columns += [column("STATE", "state"), done, failed, column("MADE", "created_at_s"), ID]
    return listed(records, columns, "No rollouts yet: entendre rollout create RELEASE")


def _sum(record: Any, name: str) -> int:
    return sum(int(each[name]) for each in record["groups"])


def _shown(record: Any) -> str:
    from entendre.cli.fleet.rollout_view import drawn

    return drawn(record)


def _shown_devices(records: list[Any]) -> str:
    from entendre.cli.fleet.records import Column, column, listed

    group = Column("GROUP", lambda each: str(each["group"] + 1) if each["group"] >= 0 else "-")
    columns = [column("DEVICE", "device"), group, column("STATE", "state"), column("ATTEMPT", "attempt")]
    columns += [column("WAS", "from_firmware"), column("RUNS", "running"), column("WHY", "detail")]
    return listed(records, [*columns, column("CHANGED", "changed_at_s")], "No devices.")


def _shown_events(records: list[Any]) -> str:
    from entendre.cli.fleet.records import column, listed

    columns = [column("WHEN", "at_s"), column("DEVICE", "device"), column("WHAT", "event")]
    return listed(records, [*columns, column("WHY", "detail"), column("BY", "by")], "Nothing happened yet.")


_ONE = arg("rollout", help="name or id")
_OPERATIONS = {
    "start": "start a rollout",
    "pause": "make no more offers; what is under way goes on",
    "resume": "go on with a rollout that was paused",
    "retry": "try the devices again that failed",
    "approve": "let the next group start",
}
VERBS = (
    Verb(
        "create",
        "plan a rollout of a published release",
        _create,
        flags(
            arg("release", help="its number, or its id"),
            BRAND,
            arg("--name", default="", help="what to call it"),
            arg("--query", default="", help="which devices of its product (default: all)"),
            arg(
                "--group", type=float, action="append", metavar="PERCENT", help="a group; may be repeated (default 100)"
            ),
            arg("--error-percent", type=float, default=5.0, metavar="P", help="failures that stop it (default 5)"),
            arg("--success-percent", type=float, default=95.0, metavar="P", help="successes before the next group"),
            arg("--approval", action="store_true", help="ask before each group but the first"),
            arg("--max-attempts", type=int, metavar="N", help="attempts of a device (default 1)"),
            arg("--timeout-s", type=float, metavar="S", help="how long one device may take (default a day)"),
            arg("--plan", type=Path, metavar="FILE", help="the whole plan as JSON, instead of these"),
            arg("--start", action="store_true", help="start it at once"),
        ),
        _shown,
    ),
    Verb("list", "show rollouts", _list, flags(BRAND, LIMIT), _rollouts),
    Verb("show", "show a rollout as it stands", _show, flags(_ONE, BRAND), _shown),
    *(Verb(name, text, _operate, flags(_ONE, BRAND), _shown) for name, text in _OPERATIONS.items()),
    Verb(
        "abort",
        "end a rollout; what devices have begun goes on",
        _operate,
        flags(_ONE, BRAND),
        _shown,
        confirm="Abort the rollout {rollout}? It can't be started again.",
    ),
    Verb(
        "devices",
        "show the devices of a rollout, and why they failed",
        _devices,
        flags(_ONE, BRAND, arg("--state", choices=STATES, help="only those"), LIMIT),
        _shown_devices,
    ),
    Verb("events", "show what happened", _events, flags(_ONE, BRAND, LIMIT), _shown_events),
    Verb(
        "watch",
        "show a rollout while it goes on, until it ends or waits for you",
        _watch,
        flags(_ONE, BRAND),
        live=True,
    ),
)
