"""Passwords: hashed by Argon2id in a thread, a few at a time, because each takes 64 MiB and all of a core."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from entendre.core.errors import InvalidInputError, MissingExtraError, OverloadedError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

MIN_CHARS = 10
MAX_CHARS = 200
"""Longest password: hashing must not cost what a caller likes."""
MAX_AT_ONCE = 2
MAX_WAITING = 64
"""Passwords that may wait to be hashed; more are refused."""


class Passwords:
    """Makes and checks hashes of passwords."""

    def __init__(self) -> None:
        self._hasher: PasswordHasher | None = None
        self._nobodys = ""
        self._turn = asyncio.Semaphore(MAX_AT_ONCE)
        self._waiting = 0

    async def hashed(self, password: str) -> str:
        """The hash to keep. Raises: InvalidInputError, OverloadedError, MissingExtraError."""
        if not MIN_CHARS <= len(password) <= MAX_CHARS:
            raise InvalidInputError(f"A password has {MIN_CHARS} to {MAX_CHARS} characters.")
        return await self._in_turn(_hash, self._argon2(), _normal(password))

    async def fits(self, password: str, kept: str | None) -> bool:
        """Whether a password is the one of a hash; as much work without a hash. Raises: as `hashed`."""
        argon2 = self._argon2()
        if not self._nobodys:
            self._nobodys = await self._in_turn(_hash, argon2, "nobody's password")
        given = _normal(password[:MAX_CHARS])
        right = await self._in_turn(_verified, argon2, kept or self._nobodys, given)
        return right and kept is not None and len(password) <= MAX_CHARS

    async def _in_turn(self, work: Callable[..., T], *values: object) -> T:
        if self._waiting >= MAX_WAITING:
            raise OverloadedError("Too many people sign in. Try again.")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(work, *values)
        finally:
            self._waiting -= 1

    def _argon2(self) -> PasswordHasher:
        if self._hasher is None:
            try:
                from argon2 import PasswordHasher
            except ImportError:
                raise MissingExtraError("Passwords need argon2: pip install 'entendre[fleet]'.") from None
            self._hasher = PasswordHasher()
        return self._hasher


def _hash(argon2: PasswordHasher, password: str) -> str:
    return argon2.hash(password)


def _verified(argon2: PasswordHasher, kept: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return argon2.verify(kept, password)
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """The same characters however a keyboard composes them. Source: NIST SP 800-63B section 5.1.1.2."""
    return unicodedata.normalize("NFKC", password)
