"""Who is signed in where: tokens of people, one set a server, in a file that nobody else may read."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class SignIn(msgspec.Struct, frozen=True):
    """What a sign-in gave."""

    access_token: str
    refresh_token: str
    expires_at_s: float
    login: str = ""


def tokens_file() -> Path:
    """Where sign-ins are kept."""
    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "entendre" / "tokens.json"


def sign_ins() -> dict[str, SignIn]:
    """Sign-ins by address of the server. Raises: InvalidInputError."""
    from entendre.clients.device.files import read_private

    file = tokens_file()
    return (read_private(file, dict[str, SignIn]) or {}) if file.exists() else {}


def keep(url: str, sign_in: SignIn | None) -> None:
    """Keep a sign-in, or with None forget it."""
    from entendre.clients.device.files import write_private

    known = sign_ins()
    known.pop(url, None)
    write_private(tokens_file(), known if sign_in is None else {**known, url: sign_in})


async def fresh_token(url: str) -> str | None:
    """The access token for a server; None where nobody is signed in."""
    known = sign_ins().get(url)
    return None if known is None else known.access_token
