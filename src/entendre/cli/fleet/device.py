"""`entendre device`: the fleet's devices on a running server: find them, tag them, and say what they should be.

To bind a speaker of your own home by the code that it shows, without a server running, use `entendre devices`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.brand import BRAND
from entendre.cli.fleet.names import brand_of, device_of
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, flags, key_values, rows, run_verb

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "the fleet's devices: find, tag, configure (bind by code: devices)"
EPILOG = "To bind a speaker of this home by the code that it shows, on this machine: entendre devices bind CODE"


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "device", SUMMARY, VERBS, EPILOG)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


async def _of(client: Entendre, args: argparse.Namespace) -> tuple[str, str]:
    brand = await brand_of(client, args)
    return brand, await device_of(client, brand, args.device)


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.devices.list(await brand_of(client, args), query=args.query), args.limit)


async def _show(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.devices.get(*await _of(client, args))


async def _register(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    given = {name: getattr(args, name) for name in ("name", *_ABOUT) if getattr(args, name)}
    return await client.devices.register(brand, product=args.product, serial=args.serial, **given)


async def _change(client: Entendre, args: argparse.Namespace) -> Any:
    given = {name: getattr(args, name) for name in ("name", *_ABOUT) if getattr(args, name) is not None}
    return await client.devices.change(*await _of(client, args), **given)


async def _revoke(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.devices.revoke(*await _of(client, args))


async def _forget(client: Entendre, args: argparse.Namespace) -> Any:
    await client.devices.forget(*await _of(client, args))


async def _token(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.devices.issue_token(*await _of(client, args))


async def _twin(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.twins.get(*await _of(client, args))


async def _tag(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.twins.patch_tags(*await _of(client, args), key_values(args.values))


async def _desired(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.twins.patch_desired(*await _of(client, args), key_values(args.values))


async def _updates(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.rollouts.list_device_updates(*await _of(client, args)), args.limit)


async def _erase(client: Entendre, args: argparse.Namespace) -> Any:
    brand, device = await _of(client, args)
    return await client.privacy.erase_device(brand, device, confirm=device)


def _devices(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, Column, column, listed

    name = Column("NAME", lambda each: str(each["name"]) if each["name"] != each["serial"] else "-")
    columns = [column("SERIAL", "serial"), name, column("PRODUCT", "product_name"), column("STATE", "state")]
    columns += [Column("ONLINE", lambda each: "online" if each["online"] else "-"), column("SEEN", "last_seen_at_s")]
    columns += [column("FIRMWARE", "firmware"), column("COUNTRY", "country"), ID]
    return listed(records, columns, "No devices. How they enrol: entendre enrolment create --help")


def _events(records: list[Any]) -> str:
    from entendre.cli.fleet.records import column, listed

    columns = [column("WHEN", "at_s"), column("ROLLOUT", "rollout"), column("WHAT", "event"), column("WHY", "detail")]
    return listed(records, columns, "No rollout has reached it.")


_ABOUT = ("language", "country")
_MORE = (
    arg("--name", help="what to call it"),
    arg("--language", help="language tag, such as en or pt-BR"),
    arg("--country", help="two letters, such as BR"),
)
_ONE = arg("device", help="id or serial number")
_VALUES = arg("values", nargs="+", metavar="NAME=VALUE", help="a.b=1 sets a part, null removes; values may be JSON")
VERBS = (
    Verb(
        "list",
        "show devices",
        _list,
        flags(BRAND, arg("--query", help="which, such as \"tags.country = 'BR' and online = true\""), LIMIT),
        _devices,
    ),
    Verb("show", "show a device", _show, flags(_ONE, BRAND)),
    Verb(
        "register",
        "make a device that has not enrolled yet",
        _register,
        flags(
            arg("serial", help="its serial number"), arg("--product", required=True, help="name or id"), BRAND, *_MORE
        ),
    ),
    Verb("change", "change a device", _change, flags(_ONE, BRAND, *_MORE)),
    Verb(
        "revoke",
        "end a device's access; it can't enrol again",
        _revoke,
        flags(_ONE, BRAND),
        confirm="Revoke {device}? It can't enrol again.",
    ),
    Verb(
        "forget",
        "remove a device with its twin and its credentials",
        _forget,
        flags(_ONE, BRAND),
        confirm="Remove {device} with its twin and its credentials?",
    ),
    Verb("token", "give a device another token; the one before ends soon after", _token, flags(_ONE, BRAND)),
    Verb("twin", "show what a device should be and says that it is", _twin, flags(_ONE, BRAND)),
    Verb("tag", "change the tags of a device", _tag, flags(_ONE, _VALUES, BRAND)),
    Verb("desired", "change what a device should be", _desired, flags(_ONE, _VALUES, BRAND)),
    Verb("updates", "show what rollouts did with a device", _updates, flags(_ONE, BRAND, LIMIT), _events),
    Verb(
        "erase",
        "erase a device and all it told, for good",
        _erase,
        flags(_ONE, BRAND),
        confirm="Erase {device} and all it told, for good?",
    ),
)
