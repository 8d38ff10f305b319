"""Short codes that people say, read or type: how they look, how long they hold, how often one may guess."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

CodeKind = Literal["member", "device"]

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without 0 O 1 I L U, which are taken for one another or for V."""
SHOWN_CHARS = 8
SPOKEN_DIGITS = 6
LIFE_S = 600.0
ENTROPY_BYTES = 24
"""So much more than a code needs that the remainder of a division by the alphabet favours nothing."""
WINDOW_S = 600.0
MAX_OPEN_OF_HOUSEHOLD = 10
_BETWEEN = re.compile(r"[\s.·-]+")


@dataclass(frozen=True, slots=True)
class GuessLimits:
    """Wrong codes within `WINDOW_S` after which guessing rests."""

    of_guesser: int = 10
    of_household: int = 30
    of_all: int = 100


LIMITS_OF_DIGITS = GuessLimits()
"""Ten minutes of guessing by everybody together find one of ten open codes with a chance of 1 in 1,000."""
LIMITS_OF_LETTERS = GuessLimits(of_all=10_000)
"""There are 6.5e11 such codes, so that all together may guess more: strangers can't keep a family from joining."""


def code_of(entropy: bytes, *, spoken: bool) -> str:
    """A code of `ENTROPY_BYTES` random bytes: six digits if it is to be said, else eight characters."""
    alphabet, length = ("0123456789", SPOKEN_DIGITS) if spoken else (ALPHABET, SHOWN_CHARS)
    number = int.from_bytes(entropy, "big")
    marks = []
    for _ in range(length):
        number, at = divmod(number, len(alphabet))
        marks.append(alphabet[at])
    return "".join(marks)


def normal(typed: str) -> str | None:
    """A code as it was made, from how somebody typed it; None if it can't be one."""
    code = _BETWEEN.sub("", typed[:64]).upper()
    if len(code) == SPOKEN_DIGITS and code.isascii() and code.isdigit():
        return code
    return code if len(code) == SHOWN_CHARS and set(code) <= set(ALPHABET) else None


def written(code: str) -> str:
    """A code as it is shown, in two halves."""
    half = len(code) // 2
    return f"{code[:half]}-{code[half:]}"


def digest(region: str, kind: CodeKind, code: str) -> bytes:
    """What is kept of a code."""
    return hashlib.sha256(f"{region}\n{kind}\n{code}".encode()).digest()


def limits_for(code: str) -> GuessLimits:
    """How often a code of this shape may be guessed."""
    return LIMITS_OF_DIGITS if code.isdigit() and len(code) == SPOKEN_DIGITS else LIMITS_OF_LETTERS


def may_guess(wrong_of_guesser: int, wrong_of_household: int, wrong_of_all: int, limits: GuessLimits) -> bool:
    """Whether one more guess is let through after so many wrong ones."""
    return (
        wrong_of_guesser < limits.of_guesser
        and wrong_of_household < limits.of_household
        and wrong_of_all < limits.of_all
    )
