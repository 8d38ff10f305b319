"""`entendre logout`: end this machine's sign-in at a server."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from entendre.cli.fleet.connection import add_connection_flags, url_of
from entendre.cli.fleet.sign_in import SignIn, keep, locked, sign_in_at


def add_parser(subparsers: Any) -> None:
    """Add the command's arguments."""
    parser = subparsers.add_parser("logout", help="end the sign-in at a server")
    add_connection_flags(parser, key=False)


def run(args: argparse.Namespace) -> int:
    """Forget the tokens, and have the server end them."""
    url = url_of(args)
    was = asyncio.run(_signed_out(url))
    if args.json:
        print(json.dumps({"url": url, "was_signed_in": was}))
    else:
        print(f"Signed out at {url}." if was else f"Nobody was signed in at {url}.")
    return 0


async def _signed_out(url: str) -> bool:
    async with locked():
        known = sign_in_at(url)
        if known is None:
            return False
        keep(url, None)
    await _ended(url, known)
    return True


async def _ended(url: str, known: SignIn) -> None:
    """Have the server end the tokens; here they are forgotten whether it answers or not."""
    from entendre.clients.api.errors import ApiError, NotReachedError
    from entendre.clients.api.oauth import OAuth
    from entendre.clients.api.transport import Transport

    async with Transport(url) as transport:
        try:
            await OAuth(transport).revoke(known.refresh_token)
        except (ApiError, NotReachedError):
            print("entendre: the server could not be told; the sign-in ends there by itself", file=sys.stderr)
