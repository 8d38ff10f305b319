"""`entendre login`: sign in at a server by a short code that is typed into any of its pages."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from entendre.cli.fleet.connection import add_connection_flags, reached, url_of
from entendre.cli.fleet.sign_in import keep, locked, sign_in_of


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("login", help="sign in at a server, as a person")
    add_connection_flags(parser, key=False)


def run(args: argparse.Namespace) -> int:
    """Show a code, wait until it is typed, and keep the tokens."""
    url = url_of(args)
    asyncio.run(reached(url, _signed_in(url, quiet=args.json)))
    print(f'{{"url": "{url}"}}' if args.json else f"Signed in at {url}.")
    return 0


async def _signed_in(url: str, *, quiet: bool) -> None:
    from entendre.cli.fleet.terminal import wants_colour
    from entendre.clients.api.oauth import OAuth
    from entendre.clients.api.transport import Transport

    async with Transport(url) as transport:
        oauth = OAuth(transport)
        code = await oauth.begin()
        bold = ("\x1b[1m", "\x1b[0m") if wants_colour(sys.stderr) else ("", "")
        print(
            f"Open  {code.verification_uri}\nType  {bold[0]}{code.user_code}{bold[1]}\n"
            f"It lasts {code.expires_in / 60:.0f} minutes. Waiting …",
            file=sys.stderr,
            flush=True,
        )
        tokens = await oauth.wait(code)
    async with locked():
        keep(url, sign_in_of(tokens))
