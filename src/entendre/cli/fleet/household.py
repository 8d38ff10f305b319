"""`entendre household`: homes and the people, rooms and devices in them; to take along and to erase."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.names import household_of, id_of
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, flags, key_values, rows, run_verb
from entendre.core.errors import InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "homes: their people, rooms and devices; export, erasure"
PLACES = ("owner", "adult", "child", "guest")
MINUTE_S = 60.0


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "household", SUMMARY, VERBS)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


async def _create(client: Entendre, args: argparse.Namespace) -> Any:
    given = {name: getattr(args, name) for name in ("owner", "brand", *_ABOUT) if getattr(args, name)}
    return await client.households.create(name=args.name, **given)


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    from entendre.cli.fleet.names import households

    return await rows(households(client, args.brand), args.limit)


async def _show(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.households.get(await household_of(client, args))


async def _change(client: Entendre, args: argparse.Namespace) -> Any:
    given = {name: getattr(args, name) for name in _ABOUT if getattr(args, name) is not None}
    given |= {"name": args.name} if args.name else {}
    given |= {"retention": kept_days(args.keep)} if args.keep else {}
    if not given:
        raise InvalidInputError("Say what to change: --name, --language, --country, --time-zone or --keep.")
    return await client.households.change(await household_of(client, args), **given)


def kept_days(pairs: Sequence[str]) -> dict[str, float | None]:
    """`KIND=DAYS` pairs. Raises: InvalidInputError."""
    days = key_values(pairs)
    for kind, count in days.items():
        if kind not in _KEPT or isinstance(count, bool) or not (count is None or isinstance(count, int | float)):
            raise InvalidInputError(f"--keep takes KIND=DAYS, or KIND=null for the default; KIND: {', '.join(_KEPT)}.")
    return days


async def _members(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.members.list(await household_of(client, args)), args.limit)


async def _invite(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.members.invite(await household_of(client, args), role=args.role, spoken=args.spoken)


async def _add_child(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.members.add_child(await household_of(client, args), name=args.name)


async def _remove_member(client: Entendre, args: argparse.Namespace) -> Any:
    household = await household_of(client, args)
    member = await id_of(args.member, "member", client.members.list(household), lambda each: (each.name,))
    await client.members.remove(household, member)


async def _join(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.members.join_household(code=args.code)


async def _leave(client: Entendre, args: argparse.Namespace) -> Any:
    await client.members.leave_household(await household_of(client, args))


async def _rooms(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.households.list_rooms(await household_of(client, args)), args.limit)


async def _add_room(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.households.create_room(await household_of(client, args), name=args.name)


async def _room(client: Entendre, household: str, word: str) -> str:
    return await id_of(word, "room", client.households.list_rooms(household), lambda each: (each.name,))


async def _remove_room(client: Entendre, args: argparse.Namespace) -> Any:
    household = await household_of(client, args)
    await client.households.remove_room(household, await _room(client, household, args.room))


async def _devices(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.homes.list_house_devices(await household_of(client, args)), args.limit)


async def _claim(client: Entendre, args: argparse.Namespace) -> Any:
    household = await household_of(client, args)
    given = {} if not args.name else {"name": args.name}
    given |= {} if not args.room else {"room": await _room(client, household, args.room)}
    return await client.homes.claim_device(household, code=args.code, **given)


async def _release(client: Entendre, args: argparse.Namespace) -> Any:
    household = await household_of(client, args)
    known = client.homes.list_house_devices(household)
    await client.homes.release_device(household, await id_of(args.device, "device", known, lambda each: (each.name,)))


async def _consents(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.consent.household_consents(await household_of(client, args))


async def _consent(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.consent.for_household(
        await household_of(client, args),
        purpose=args.purpose,
        given=args.verb == "agree",
        wording=args.wording,
        language=args.language,
        channel="cli",
    )


async def _export(client: Entendre, args: argparse.Namespace) -> Any:
    household = await household_of(client, args)
    if args.file.exists() and not args.force:
        raise InvalidInputError(f"{args.file} exists; --force writes over it.")
    await client.exports.household(household, args.file)
    return {"file": str(args.file), "size_bytes": args.file.stat().st_size}


async def _erase(client: Entendre, args: argparse.Namespace) -> Any:
    household = await household_of(client, args)
    return await client.privacy.erase_household(household, confirm=household)


def _households(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column(name.upper(), name) for name in ("name", "brand", "language", "country")]
    columns += [column("TIME ZONE", "time_zone"), column("MADE", "created_at_s"), ID]
    return listed(records, columns, "No households yet: entendre household create NAME")


def _shown_members(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column("NAME", "name"), column("ROLE", "role"), column("ACCOUNT", "account")]
    columns += [column("SINCE", "joined_at_s"), column("UNTIL", "expires_at_s"), ID]
    return listed(records, columns, "Nobody yet: entendre household invite")


def _shown_rooms(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    return listed(records, [column("NAME", "name"), column("NAMES", "names"), ID], "No rooms yet.")


def _shown_devices(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column(name.upper(), name) for name in ("name", "kind", "room", "language", "online")]
    return listed(records, [*columns, column("SEEN", "last_seen_at_s"), ID], "No devices yet: claim one by its code.")


def _shown_consents(record: Any) -> str:
    from entendre.cli.fleet.records import column, described, listed, plain

    ledger = plain(record)
    columns = [column(name.upper(), name) for name in ("purpose", "given", "wording", "language", "channel")]
    columns += [column("WHEN", "at_s"), column("BY", "by")]
    lines = listed(ledger.pop("data"), columns, "Nobody was asked yet.")
    return f"{described(ledger)}\n\n{lines}"


def _code(code: Any) -> str:
    from entendre.cli.fleet.terminal import moment

    return f"{code.code}   (once, and it ends {moment(code.expires_at_s)})"


_KEPT = ("history", "turns", "rings", "notes")
_ABOUT = ("language", "country", "time_zone")
_MORE = (
    arg("--language", help="language tag, such as en or pt-BR"),
    arg("--country", help="two letters, such as BR"),
    arg("--time-zone", metavar="ZONE", help="IANA zone, such as Europe/Lisbon"),
)
ONE = arg("household", nargs="?", default=argparse.SUPPRESS, help="the same as --household")
IN = arg("--household", help="name or id (default: ENTENDRE_HOUSEHOLD, or the only one)")
_BRAND = arg("--brand", help="name or id of the brand that it is a customer of")
_CONSENT = (
    arg("purpose", help="what for, as `entendre household consents` names it"),
    arg("--wording", required=True, metavar="VERSION", help="version of the text that was read"),
    arg("--language", default="en", help="the language that it was read in (default en)"),
    IN,
)
VERBS = (
    Verb(
        "create",
        "make a household",
        _create,
        flags(
            arg("name", help="what it is called"),
            arg("--owner", metavar="LOGIN", help="its first member (default: who is signed in)"),
            _BRAND,
            *_MORE,
        ),
    ),
    Verb(
        "list",
        "show your households, or all of them to whoever runs the server",
        _list,
        flags(_BRAND, LIMIT),
        _households,
    ),
    Verb("show", "show a household", _show, flags(ONE, IN)),
    Verb(
        "change",
        "change a household",
        _change,
        flags(
            ONE,
            IN,
            arg("--name", help="its new name"),
            *_MORE,
            arg("--keep", action="append", metavar="KIND=DAYS", help=f"days to keep: {', '.join(_KEPT)}; 0 keeps none"),
        ),
    ),
    Verb("members", "show who lives there", _members, flags(ONE, IN, LIMIT), _shown_members),
    Verb(
        "invite",
        "make a code that lets one person in, for ten minutes",
        _invite,
        flags(
            IN,
            arg("--role", choices=PLACES, default="adult", help="what they will be (default adult)"),
            arg("--spoken", action="store_true", help="six digits, to be said"),
        ),
        _code,
    ),
    Verb("add-child", "add a child, without an account", _add_child, flags(arg("name", help="the child's name"), IN)),
    Verb("remove-member", "take somebody out", _remove_member, flags(arg("member", help="name or id"), IN)),
    Verb("join", "join a household by a code", _join, flags(arg("code", help="the code that you were told"))),
    Verb("leave", "leave a household", _leave, flags(ONE, IN), confirm="Leave this household?"),
    Verb("rooms", "show the rooms", _rooms, flags(ONE, IN, LIMIT), _shown_rooms),
    Verb("add-room", "name a room", _add_room, flags(arg("name", help="what it is called"), IN)),
    Verb("remove-room", "remove a room", _remove_room, flags(arg("room", help="name or id"), IN)),
    Verb("devices", "show the devices", _devices, flags(ONE, IN, LIMIT), _shown_devices),
    Verb(
        "claim",
        "take the device that shows or says a code",
        _claim,
        flags(
            arg("code", help="the code that it shows"),
            IN,
            arg("--name", help="what it is called"),
            arg("--room", help="where it stands"),
        ),
    ),
    Verb(
        "release",
        "let a device go; what it told here is erased",
        _release,
        flags(arg("device", help="name or id"), IN),
        confirm="Let {device} go? What it told here is erased.",
    ),
    Verb("consents", "show what was agreed to, and when", _consents, flags(ONE, IN), _shown_consents),
    Verb("agree", "agree to a purpose, for the household", _consent, flags(*_CONSENT)),
    Verb("refuse", "refuse a purpose, for the household", _consent, flags(*_CONSENT)),
    Verb(
        "export",
        "take everything of a household along, as a ZIP archive of JSON files",
        _export,
        flags(
            arg("file", type=Path, help="where to"),
            IN,
            arg("--force", action="store_true", help="write over a file that exists"),
        ),
    ),
    Verb(
        "erase",
        "erase a household for good",
        _erase,
        flags(arg("household", help="name or id")),
        confirm="Erase the household {household} for good? Nothing brings it back.",
    ),
)
