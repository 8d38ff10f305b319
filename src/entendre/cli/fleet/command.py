"""`entendre command`: have a device do something, now or once it can; or every device that a query finds."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.brand import BRAND
from entendre.cli.fleet.names import brand_of, device_of, id_of
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, flags, key_values, rows, run_verb
from entendre.core.errors import InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "have devices do something, now or once they can"
STATES = ("queued", "delivered", "done", "failed", "expired", "cancelled")


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "command", SUMMARY, VERBS)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


def payload_of(args: argparse.Namespace) -> Any:
    """What goes with a command: `--payload`, or pairs. Raises: InvalidInputError."""
    import msgspec

    if args.payload is None:
        return key_values(args.values) if args.values else None
    if args.values:
        raise InvalidInputError("Give NAME=VALUE pairs or --payload, not both.")
    try:
        return msgspec.json.decode(args.payload)
    except msgspec.DecodeError as error:
        raise InvalidInputError("--payload is not valid JSON.", detail=str(error)) from error


async def _call(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    device = await device_of(client, brand, args.device)
    given = {} if args.timeout is None else {"timeout_s": args.timeout}
    return await client.commands.call_device(brand, device, name=args.name, payload=payload_of(args), **given)


async def _queue(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    device = await device_of(client, brand, args.device)
    given = {} if args.ttl is None else {"ttl_s": args.ttl}
    return await client.commands.queue(brand, device, name=args.name, payload=payload_of(args), **given)


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    device = await device_of(client, brand, args.device)
    return await rows(client.commands.list(brand, device, state=args.state), args.limit)


async def _one(client: Entendre, args: argparse.Namespace) -> tuple[str, str, str]:
    brand = await brand_of(client, args)
    device = await device_of(client, brand, args.device)
    return brand, device, await id_of(args.id, "command", client.commands.list(brand, device))


async def _show(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.commands.get(*await _one(client, args))


async def _cancel(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.commands.cancel(*await _one(client, args))


async def _start_job(client: Entendre, args: argparse.Namespace) -> Any:
    given = {} if args.ttl is None else {"ttl_s": args.ttl}
    return await client.commands.start_job(
        await brand_of(client, args), name=args.name, query=args.query, payload=payload_of(args), **given
    )


async def _jobs(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.commands.list_jobs(await brand_of(client, args)), args.limit)


async def _job(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.commands.get_job(brand, await id_of(args.id, "job", client.commands.list_jobs(brand)))


async def _cancel_job(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.commands.cancel_job(brand, await id_of(args.id, "job", client.commands.list_jobs(brand)))


def _commands(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column(name.upper(), name) for name in ("name", "payload", "mode", "state", "status", "result")]
    return listed(records, [*columns, column("MADE", "created_at_s"), ID], "No commands.")


def _shown_jobs(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column(name.upper(), name) for name in ("name", "query", "state", "queued", "refused")]
    return listed(records, [*columns, column("MADE", "created_at_s"), ID], "No jobs.")


_DEVICE = arg("device", help="id or serial number")
_WHAT = (
    arg("name", help="what to do"),
    arg("values", nargs="*", metavar="NAME=VALUE", help="what goes with it; values may be JSON"),
    arg("--payload", metavar="JSON", help="what goes with it, as one JSON document"),
    BRAND,
)
_ID = arg("id", help="its id")
_TTL = arg("--ttl", type=float, metavar="S", help="seconds that it may wait (default 3600)")
VERBS = (
    Verb(
        "call",
        "have a connected device do something now, and show its answer",
        _call,
        flags(_DEVICE, *_WHAT, arg("--timeout", type=float, metavar="S", help="seconds to wait (default 30)")),
    ),
    Verb("queue", "have a device do something once it can", _queue, flags(_DEVICE, *_WHAT, _TTL)),
    Verb(
        "list",
        "show the commands of a device, newest first",
        _list,
        flags(_DEVICE, BRAND, arg("--state", choices=STATES, help="only those"), LIMIT),
        _commands,
    ),
    Verb("show", "show a command and its answer", _show, flags(_DEVICE, _ID, BRAND)),
    Verb("cancel", "end a command that waits", _cancel, flags(_DEVICE, _ID, BRAND)),
    Verb(
        "start-job",
        "queue a command for every device that a query finds",
        _start_job,
        flags(*_WHAT, arg("--query", default="", help="which devices (default: all)"), _TTL),
    ),
    Verb("jobs", "show jobs, newest first", _jobs, flags(BRAND, LIMIT), _shown_jobs),
    Verb("job", "show a job and how far it is", _job, flags(_ID, BRAND)),
    Verb("cancel-job", "stop a job; what devices have is left to them", _cancel_job, flags(_ID, BRAND)),
)
