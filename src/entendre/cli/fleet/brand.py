"""`entendre brand`: makers on this server, their keys and staff, and to whom they lend their devices' assistant."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.names import brand_of, id_of
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, flags, rows, run_verb

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "makers on a running server: names, keys, staff, partners"
ROLES = ("admin", "engineer", "support", "viewer")
ONE = arg("brand", nargs="?", help="name or id (default: ENTENDRE_BRAND, or the only one)")
BRAND = arg("--brand", help="name or id (default: ENTENDRE_BRAND, or the only one)")


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "brand", SUMMARY, VERBS)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


async def _create(client: Entendre, args: argparse.Namespace) -> Any:
    assistant = _assistant(args)
    given = {} if assistant is None else {"assistant": assistant}
    return await client.brands.create(name=args.name, display_name=args.display_name or args.name, **given)


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.brands.list(), args.limit)


async def _show(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.brands.get(await brand_of(client, args))


async def _change(client: Entendre, args: argparse.Namespace) -> Any:
    given: dict[str, Any] = {}
    if args.display_name:
        given["display_name"] = args.display_name
    assistant = _assistant(args)
    if assistant is not None:
        given["assistant"] = assistant
    return await client.brands.change(await brand_of(client, args), **given)


async def _end(client: Entendre, args: argparse.Namespace) -> Any:
    await client.brands.end(args.brand)


def _assistant(args: argparse.Namespace) -> Any:
    from entendre.web.api.brands import Assistant

    if not args.assistant:
        return None
    return Assistant(args.assistant, tuple(args.wake_word), args.voice or None, args.language or None)


async def _keys(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.staff.list_keys(await brand_of(client, args)), args.limit)


async def _add_key(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.staff.create_key(await brand_of(client, args), name=args.name, role=args.role)


async def _revoke_key(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    key = await id_of(args.key, "key", client.staff.list_keys(brand), lambda each: (each.name,))
    await client.staff.revoke_key(brand, key)


async def _staff(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.staff.list(await brand_of(client, args)), args.limit)


async def _add_staff(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.staff.add(brand, account=args.account, role=args.role, login=args.login)


async def _remove_staff(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    member = await id_of(args.member, "member of the staff", client.staff.list(brand), lambda each: (each.account,))
    await client.staff.remove(brand, member)


async def _lend(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    return await client.partnerships.create(brand, partner=args.partner, products=args.product)


async def _lent(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.partnerships.list(await brand_of(client, args)), args.limit)


async def _take_back(client: Entendre, args: argparse.Namespace) -> Any:
    brand = await brand_of(client, args)
    await client.partnerships.end(brand, await id_of(args.partnership, "partnership", client.partnerships.list(brand)))


def _brands(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, Column, column, listed

    assistant = Column("ASSISTANT", lambda each: str(each["assistant"]["name"]))
    columns = [column("NAME", "name"), column("SHOWN AS", "display_name"), assistant]
    columns += [column("MADE", "created_at_s"), ID]
    return listed(records, columns, "No brands yet: entendre brand create NAME")


def _shown_keys(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column("NAME", "name"), column("ROLE", "role"), column("MADE", "created_at_s")]
    columns += [column("USED", "last_used_at_s"), column("REVOKED", "revoked_at_s"), ID]
    return listed(records, columns, "No keys yet: entendre brand add-key NAME")


def _shown_staff(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = (column("ACCOUNT", "account"), column("ROLE", "role"), column("SINCE", "created_at_s"), ID)
    return listed(records, columns, "Nobody yet: entendre brand add-staff LOGIN --role admin")


def _partnerships(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = (column("OF", "brand"), column("LENT TO", "partner"), column("PRODUCTS", "products"))
    return listed(records, (*columns, column("SINCE", "started_at_s"), ID), "Nothing is lent or borrowed.")


_ASSISTANT = (
    arg("--display-name", help="what people read"),
    arg("--assistant", metavar="NAME", help="what its assistant is called"),
    arg("--wake-word", action="append", default=[], metavar="WORD", help="what wakes it; may be repeated"),
    arg("--voice", help="the assistant's voice"),
    arg("--language", help="the assistant's language, such as en or pt-BR"),
)
_ROLE = arg("--role", choices=ROLES, default="engineer", help="what it may do (default engineer)")
VERBS = (
    Verb("create", "make a brand", _create, flags(arg("name", help="its name: letters, digits, dashes"), *_ASSISTANT)),
    Verb("list", "show every brand", _list, flags(LIMIT), _brands),
    Verb("show", "show a brand", _show, flags(ONE)),
    Verb("change", "change a brand", _change, flags(ONE, *_ASSISTANT)),
    Verb(
        "end",
        "end a brand and its partnerships",
        _end,
        flags(arg("brand", help="name or id")),
        confirm="End the brand {brand}? Its devices lose their home.",
    ),
    Verb("keys", "show the API keys of a brand", _keys, flags(BRAND, LIMIT), _shown_keys),
    Verb(
        "add-key",
        "make an API key for a brand's programs; it is shown this once",
        _add_key,
        flags(arg("name", help="what it is for"), BRAND, _ROLE),
        lambda made: str(made.token),
    ),
    Verb("revoke-key", "end an API key", _revoke_key, flags(arg("key", help="name or id"), BRAND)),
    Verb("staff", "show who works for a brand", _staff, flags(BRAND, LIMIT), _shown_staff),
    Verb(
        "add-staff",
        "give a person a role in a brand",
        _add_staff,
        flags(
            arg("account", help="login or id of the account"),
            BRAND,
            _ROLE,
            arg("--login", help="its login, where a key of the brand is used and the account is named by its id"),
        ),
    ),
    Verb("remove-staff", "take a person's role away", _remove_staff, flags(arg("member", help="account or id"), BRAND)),
    Verb(
        "lend",
        "lend the assistant of a brand's devices to a partner",
        _lend,
        flags(
            arg("partner", help="name or id of the partner"),
            BRAND,
            arg("--product", action="append", default=[], help="only this one's devices; may be repeated"),
        ),
    ),
    Verb("lent", "show what a brand lends and borrows", _lent, flags(BRAND, LIMIT), _partnerships),
    Verb("take-back", "end a partnership", _take_back, flags(arg("partnership", help="its id"), BRAND)),
)
