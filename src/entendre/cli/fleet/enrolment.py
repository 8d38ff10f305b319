"""`entendre enrolment`: batches of devices that enrol by themselves, by a key or a certificate of their own."""

from __future__ import annotations

import argparse
import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from entendre.cli.fleet.brand import BRAND
from entendre.cli.fleet.names import brand_of, id_of, is_part
from entendre.cli.fleet.product import product_of
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, flags, rows, run_verb
from entendre.core.errors import InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "batches of devices that enrol by themselves"
MAX_AUTHORITY_BYTES = 256 * 1024


class GroupKeys(msgspec.Struct, frozen=True):
    """The keys of a group, in base64, as they lie in the factory."""

    group: str
    name: str
    primary_key: str | None
    secondary_key: str | None


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "enrolment", SUMMARY, VERBS)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


async def _create(client: Entendre, args: argparse.Namespace) -> Any:
    if (args.ca is None) is (args.keys is None):
        raise InvalidInputError("Give --keys FILE for a group of keys, or --ca FILE for one of certificates.")
    if args.keys is not None and args.keys.exists():
        raise InvalidInputError(f"{args.keys} exists; keys are never written over.")
    brand = await brand_of(client, args)
    given: dict[str, Any] = {"kind": "symmetric"} if args.ca is None else {"kind": "x509", "ca_pem": _pem(args.ca)}
    given |= {} if args.max_devices is None else {"max_devices": args.max_devices}
    product = await product_of(client, brand, args.product)
    regions = _regions(args.region)
    made = await client.enrolment.create_group(brand, name=args.name, product=product, regions=regions, **given)
    return _kept(args.keys, made)


def _pem(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_AUTHORITY_BYTES).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} can't be read as PEM.", detail=str(error)) from error


def _regions(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        country, equals, region = pair.partition("=")
        if not (country and equals and region):
            raise InvalidInputError(f"{pair!r} is no COUNTRY=REGION.")
        found[country] = region
    return found


def _kept(file: Path | None, made: Any) -> Any:
    """Write keys that were just made where nobody else reads them; they are shown nowhere."""
    from entendre.clients.device.files import write_private

    if file is not None:
        keys = GroupKeys(made.group.id, made.group.name, made.primary_key, made.secondary_key)
        write_private(file, keys)
    return made.group


async def _rotate(client: Entendre, args: argparse.Namespace) -> Any:
    from entendre.clients.device.files import read_private

    known = read_private(args.keys, GroupKeys) if args.keys.exists() else None
    brand = await brand_of(client, args)
    made = await client.enrolment.rotate_key(brand, await group_of(client, brand, args.group), key=args.key)
    if known is not None and known.group == made.group.id:
        primary, secondary = made.primary_key or known.primary_key, made.secondary_key or known.secondary_key
        made = type(made)(made.group, primary, secondary)
    return _kept(args.keys, made)


async def group_of(client: Entendre, brand: str, word: str) -> str:
    """The group that goes by a word, for the server: a part of an id becomes the whole."""
    if not is_part(word):
        return word
    return await id_of(word, "enrolment group", client.enrolment.list_groups(brand), lambda each: (each.name,))


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.enrolment.list_groups(await brand_of(client, args)), args.limit)


async def _show(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.enrolment.get_group(brand, await group_of(client, brand, args.group))


async def _change(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    given: dict[str, Any] = {"regions": _regions(args.region)} if args.region else {}
    given |= {} if args.max_devices is None else {"max_devices": args.max_devices or None}
    given |= {} if args.ca is None else {"ca_pem": _pem(args.ca)}
    return await client.enrolment.change_group(brand, await group_of(client, brand, args.group), **given)


async def _switch(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    group = await group_of(client, brand, args.group)
    return await client.enrolment.change_group(brand, group, enabled=args.verb == "enable")


async def _derive(args: argparse.Namespace) -> Any:
    from entendre.clients.device.files import read_private
    from entendre.clients.device.identity import device_key

    keys = read_private(args.keys, GroupKeys)
    text = None if keys is None else keys.secondary_key if args.secondary else keys.primary_key
    if keys is None or text is None:
        raise InvalidInputError(f"There are no keys in {args.keys}: entendre enrolment create --keys {args.keys}")
    group_key = base64.b64decode(text)
    return [{"group": keys.group, "serial": each, "key": device_key(group_key, each).hex()} for each in args.serials]


def _groups(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, Column, column, listed

    limit = Column("LIMIT", lambda each: "-" if each["max_devices"] is None else str(each["max_devices"]))
    columns = [column("NAME", "name"), column("PRODUCT", "product"), column("KIND", "kind"), limit]
    columns += [column("REGIONS", "regions"), column("ENABLED", "enabled"), column("MADE", "created_at_s"), ID]
    return listed(records, columns, "No groups yet: entendre enrolment create NAME --product P --keys FILE")


def _derived(records: list[Any]) -> str:
    lines = [f"group {records[0]['group']}", *(f"{each['serial']} {each['key']}" for each in records)]
    return "\n".join(lines)


_ONE = arg("group", help="name or id")
_REGION = arg(
    "--region", action="append", default=[], metavar="CC=REGION", help="home region by country, * for any other"
)
_MAX = arg("--max-devices", type=int, metavar="N", help="how many may enrol (default: any number)")
VERBS = (
    Verb(
        "create",
        "make a group; its keys go into a file of yours and are shown nowhere",
        _create,
        flags(
            arg("name", help="what to call it"),
            arg("--product", required=True, metavar="NAME", help="what its devices are"),
            BRAND,
            arg("--keys", type=Path, metavar="FILE", help="a group of keys: where they go"),
            arg("--ca", type=Path, metavar="FILE", help="a group of certificates: their authority, PEM"),
            _MAX,
            _REGION,
        ),
    ),
    Verb("list", "show the groups", _list, flags(BRAND, LIMIT), _groups),
    Verb("show", "show a group", _show, flags(_ONE, BRAND)),
    Verb(
        "change",
        "change a group",
        _change,
        flags(_ONE, BRAND, _MAX, _REGION, arg("--ca", type=Path, metavar="FILE", help="another authority, PEM")),
    ),
    Verb("disable", "let no device of a group enrol", _switch, flags(_ONE, BRAND)),
    Verb("enable", "let devices of a group enrol again", _switch, flags(_ONE, BRAND)),
    Verb(
        "rotate-key",
        "replace a key of a group; what was made from the old one proves nothing any more",
        _rotate,
        flags(
            _ONE,
            arg("--key", choices=("primary", "secondary"), required=True, help="which"),
            arg("--keys", type=Path, required=True, metavar="FILE", help="where the new one goes"),
            BRAND,
        ),
        confirm="Replace the {key} key of {group}? Devices whose keys were made from it can't enrol any more.",
    ),
    Verb(
        "derive",
        "print the keys to burn into devices, here",
        flags=flags(
            arg("keys", type=Path, help="the group's keys"),
            arg("serials", nargs="+", metavar="SERIAL", help="their serial numbers"),
            arg("--secondary", action="store_true", help="from the secondary key"),
        ),
        show=_derived,
        alone=_derive,
    ),
)
