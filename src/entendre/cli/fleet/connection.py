"""How a command reaches its server: the address, what proves who asks, and a plain sentence where nobody answers."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from entendre.core.errors import EntendreError, InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

T = TypeVar("T")
DEFAULT_URL = "http://127.0.0.1:8770"
MAX_KEY_BYTES = 1_024
ATTEMPTS = 2
"""A person who waits would rather hear that it does not work: a server waits half a minute for its database itself."""


class NoServerError(EntendreError):
    """Nobody answers where the command asks."""

    code = "no_server"
    retryable = True


def add_connection_flags(parser: argparse.ArgumentParser, *, key: bool = True) -> None:
    """Add `--url`, `--key-file` and `--json`; `asked` reads them."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    group = parser.add_argument_group("server")
    group.add_argument("--url", help=f"address of the server (default: ENTENDRE_URL, else {DEFAULT_URL})")
    if key:
        words = "file with an API key (default: ENTENDRE_KEY, else `entendre login`)"
        group.add_argument("--key-file", type=Path, metavar="FILE", help=words)


def url_of(args: argparse.Namespace) -> str:
    """The server's address."""
    return str(args.url or os.environ.get("ENTENDRE_URL") or DEFAULT_URL).rstrip("/")


def asked(args: argparse.Namespace, work: Callable[[Entendre], Awaitable[T]]) -> T:
    """Do some work with the server of a command line. Raises: NoServerError, ApiError."""
    return asyncio.run(_asked(args, work))


async def _asked(args: argparse.Namespace, work: Callable[[Entendre], Awaitable[T]]) -> T:
    from entendre.cli.fleet.sign_in import fresh_token
    from entendre.clients.api import Entendre, Retries

    url, key = url_of(args), key_of(args)
    retries = Retries(attempts=ATTEMPTS, told=_say_again)

    async def all_of_it() -> T:
        token = None if key else await fresh_token(url)
        async with Entendre(url, key=key, token=token, retries=retries) as client:
            return await work(client)

    return await reached(url, all_of_it())


def _say_again(error: EntendreError) -> None:
    """Say why it takes long; that nobody answers is said at the end."""
    if error.code != "connection_failed":
        print(f"{error.public_message} Trying again.", file=sys.stderr, flush=True)


async def reached(url: str, work: Awaitable[T]) -> T:
    """Some work with a server; what goes wrong on the way says what to do. Raises: NoServerError, ApiError."""
    from entendre.clients.api import ApiUnauthorizedError, NotReachedError

    try:
        return await work
    except NotReachedError as error:
        hint = "Start one with `entendre serve`" if url == DEFAULT_URL else "Is it running, and is --url right?"
        more = ", or name another with --url." if url == DEFAULT_URL else ""
        raise NoServerError(f"No server answers at {url}. {hint}{more}", detail=error.detail) from error
    except ApiUnauthorizedError as error:
        raise ApiUnauthorizedError(
            f"{error.public_message} Sign in with `entendre login`, or give a key with --key-file or ENTENDRE_KEY.",
            code=error.code,
            status=error.status,
        ) from error


def key_of(args: argparse.Namespace) -> str | None:
    """The API key of a file or of the environment. Raises: InvalidInputError."""
    if args.key_file is None:
        return os.environ.get("ENTENDRE_KEY") or None
    try:
        with args.key_file.open("rb") as opened:
            key = str(opened.read(MAX_KEY_BYTES + 1), "ascii").strip()
    except OSError as error:
        raise InvalidInputError(f"The key file {args.key_file} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"The key file {args.key_file} holds no key.") from error
    if not key or len(key) > MAX_KEY_BYTES or any(each.isspace() for each in key):
        raise InvalidInputError(f"The key file {args.key_file} holds no key.")
    return key
