"""`entendre account`: people who can sign in, for whoever runs the server; and the one who is signed in here."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entendre.cli.fleet.names import id_of, is_part
from entendre.cli.fleet.verbs import LIMIT, Verb, add_verbs, arg, confirmed, flags, rows, run_verb
from entendre.core.errors import InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

SUMMARY = "people who can sign in"
MAX_PASSWORD_BYTES = 1_000


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    add_verbs(subparsers, "account", SUMMARY, VERBS)


def run(args: argparse.Namespace) -> int:
    """Do what the command line says."""
    return run_verb(args, VERBS)


async def account_of(client: Entendre, word: str) -> str:
    """The account that goes by a word, for the server: a part of an id becomes the whole."""
    return await id_of(word, "account", client.accounts.list()) if is_part(word) else word


def password_of(file: Path | None, what: str = "Password") -> str:
    """A password from a file, or typed unseen, twice. Raises: InvalidInputError."""
    if file is not None:
        try:
            with file.open("rb") as opened:
                text = opened.read(MAX_PASSWORD_BYTES).decode().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{file} can't be read.", detail=str(error)) from error
        return text
    if not sys.stdin.isatty():
        raise InvalidInputError("Give the password in a file, with --password-file; nobody can be asked here.")
    first = getpass.getpass(f"{what}: ")
    if getpass.getpass("Again: ") != first:
        raise InvalidInputError("The two are not the same.")
    return first


async def _create(client: Entendre, args: argparse.Namespace) -> Any:
    given: dict[str, Any] = {} if args.no_password else {"password": password_of(args.password_file)}
    given |= {name: getattr(args, name) for name in ("language", "country") if getattr(args, name)}
    return await client.accounts.create(login=args.login, display_name=args.name or args.login, **given)


async def _list(client: Entendre, args: argparse.Namespace) -> Any:
    return await rows(client.accounts.list(), args.limit)


async def _show(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.accounts.get(await account_of(client, args.account))


async def _change(client: Entendre, args: argparse.Namespace) -> Any:
    given = {name: getattr(args, name) for name in ("language", "country") if getattr(args, name) is not None}
    given |= {"display_name": args.name} if args.name else {}
    return await client.accounts.change(await account_of(client, args.account), **given)


async def _disable(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.accounts.change(await account_of(client, args.account), disabled=True)


async def _enable(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.accounts.change(await account_of(client, args.account), disabled=False)


async def _reset(client: Entendre, args: argparse.Namespace) -> Any:
    password = password_of(args.password_file, "New password")
    await client.accounts.reset_password(await account_of(client, args.account), password=password)


async def _erase(client: Entendre, args: argparse.Namespace) -> Any:
    account = (await client.accounts.get(await account_of(client, args.account))).id
    return await client.privacy.erase_account(account, confirm=account)


async def _me(client: Entendre, args: argparse.Namespace) -> Any:
    return await client.me.get()


async def _export(client: Entendre, args: argparse.Namespace) -> Any:
    await client.exports.me(args.file)
    return {"file": str(args.file), "size_bytes": args.file.stat().st_size}


async def _sign_out(client: Entendre, args: argparse.Namespace) -> Any:
    await client.me.end_sessions()


async def _approve(client: Entendre, args: argparse.Namespace) -> Any:
    asking = await client.me.get_device_code(args.code)
    if not args.yes:
        confirmed(f"Let “{asking.client}” at {asking.address} act as you?")
    await client.me.decide_device_code(args.code, approve=True)


def _accounts(records: list[Any]) -> str:
    from entendre.cli.fleet.records import ID, column, listed

    columns = [column("LOGIN", "login"), column("NAME", "display_name"), column("LANGUAGE", "language")]
    columns += [column("COUNTRY", "country"), column("MADE", "created_at_s"), column("DISABLED", "disabled_at_s"), ID]
    return listed(records, columns, "Nobody yet: entendre account create LOGIN")


_ONE = arg("account", help="login or id")
_FILE = arg("--password-file", type=Path, metavar="FILE", help="file with the password (default: it is asked for)")
_MORE = (
    arg("--name", help="what people are called"),
    arg("--language", help="language tag, such as en or pt-BR"),
    arg("--country", help="two letters, such as BR"),
)
VERBS = (
    Verb(
        "create",
        "make an account",
        _create,
        flags(
            arg("login", help="a mail address, or a name"),
            *_MORE,
            _FILE,
            arg("--no-password", action="store_true", help="nobody can sign in until a password is set"),
        ),
    ),
    Verb("list", "show every account", _list, flags(LIMIT), _accounts),
    Verb("show", "show an account", _show, flags(_ONE)),
    Verb("change", "change an account", _change, flags(_ONE, *_MORE)),
    Verb("disable", "let a person sign in no more, and end every session", _disable, flags(_ONE)),
    Verb("enable", "let a person sign in again", _enable, flags(_ONE)),
    Verb("reset-password", "set a password and end every session", _reset, flags(_ONE, _FILE)),
    Verb(
        "erase",
        "erase a person for good",
        _erase,
        flags(_ONE),
        confirm="Erase {account} for good, with households in which no other adult is left?",
    ),
    Verb("me", "show who is signed in here", _me),
    Verb(
        "export", "take everything of who is signed in along", _export, flags(arg("file", type=Path, help="a ZIP file"))
    ),
    Verb("sign-out", "end every session of who is signed in, everywhere", _sign_out),
    Verb(
        "approve",
        "let a program in that shows a code",
        _approve,
        flags(
            arg("code", help="the code that it shows"),
            arg("--yes", action="store_true", help="do not ask whether it is meant"),
        ),
    ),
)
