"""Who is signed in where: tokens of people, one set a server, in a file that nobody else may read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from entendre.core.errors import EntendreError, InvalidInputError

if TYPE_CHECKING:
    from entendre.clients.api.oauth import Tokens

EARLY_S = 60.0
"""An access token is renewed this long before its end."""
LOCK_ATTEMPTS, LOCK_PAUSE_S = 600, 0.1
"""Longer than a renewal takes that has to wait for its server."""


class SignedOutError(EntendreError):
    """Who was signed in is no more."""

    code = "signed_out"


class SignIn(msgspec.Struct, frozen=True):
    """What a sign-in gave."""

    access_token: str
    refresh_token: str
    expires_at_s: float


def tokens_file() -> Path:
    """Where sign-ins are kept."""
    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "entendre" / "tokens.json"


def sign_in_at(url: str) -> SignIn | None:
    """The sign-in at a server; None where there is none. Raises: InvalidInputError."""
    return _all().get(url)


def keep(url: str, sign_in: SignIn | None) -> None:
    """Keep a sign-in, or with None forget it."""
    from entendre.clients.device.files import write_private

    known = _all()
    known.pop(url, None)
    write_private(tokens_file(), known if sign_in is None else {**known, url: sign_in})


def sign_in_of(tokens: Tokens) -> SignIn:
    """Tokens as they are kept."""
    return SignIn(tokens.access_token, tokens.refresh_token, time.time() + tokens.expires_in)


async def fresh_token(url: str) -> str | None:
    """The access token for a server, renewed where it is about to end; None where nobody is signed in.

    Raises: SignedOutError, NotReachedError.
    """
    if (known := sign_in_at(url)) is None:
        return None
    if not _ends_soon(known):
        return known.access_token
    async with locked():  # a refresh token that comes twice ends the sign-in
        known = sign_in_at(url)
        if known is not None and _ends_soon(known):
            known = await _renewed(url, known)
            keep(url, known)
        return None if known is None else known.access_token


async def _renewed(url: str, known: SignIn) -> SignIn:
    from entendre.clients.api.errors import ApiError
    from entendre.clients.api.oauth import OAuth
    from entendre.clients.api.transport import Transport

    async with Transport(url) as transport:
        try:
            return sign_in_of(await OAuth(transport).renew(known.refresh_token))
        except ApiError as error:
            if error.retryable:
                raise
            keep(url, None)
            raise SignedOutError("Your sign-in is over. Sign in again: entendre login") from error


@contextlib.asynccontextmanager
async def locked() -> AsyncIterator[None]:
    """Alone with the file, among the processes of this user."""
    file = tokens_file().with_suffix(".lock")
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for _ in range(LOCK_ATTEMPTS):
            if _taken(descriptor):
                break
            await asyncio.sleep(LOCK_PAUSE_S)
        else:
            raise InvalidInputError(f"Another program holds {file}; end it, or try again.")
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except ImportError:
        return True
    return True


def _ends_soon(sign_in: SignIn) -> bool:
    return sign_in.expires_at_s - EARLY_S < time.time()


def _all() -> dict[str, SignIn]:
    from entendre.clients.device.files import read_private

    return read_private(tokens_file(), dict[str, SignIn]) or {}
