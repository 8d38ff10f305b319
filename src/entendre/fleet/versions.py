"""Version numbers: precedence by Semantic Versioning 2.0, tolerant of dotted numbers of any length and a leading `v`.

Source: semver.org 2.0.0, clauses 2, 9, 10 and 11.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_NUMBER_CHARS = 64
_NUMBER = re.compile(
    r"v?(?P<numbers>[0-9]{1,12}(?:\.[0-9]{1,12}){0,7})"
    r"(?:-(?P<early>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+(?P<build>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)


@dataclass(frozen=True, slots=True)
class Version:
    """A version that can be ordered. `early`: identifiers of a pre-release; `build` has no part in precedence."""

    numbers: tuple[int, ...]
    early: tuple[str, ...] = ()
    build: str = ""

    def __lt__(self, other: Version) -> bool:
        return self._precedence() < other._precedence()

    def _precedence(self) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
        """Numbers first; a release after its pre-releases; identifiers of digits before others (clause 11.4)."""
        early = tuple((not _is_number(each), int(each) if _is_number(each) else 0, each) for each in self.early)
        return (
            self.numbers,
            not self.early,
            tuple((words, number, "" if not words else text) for words, number, text in early),
        )


def read_version(text: str) -> Version | None:
    """The version that a text is; None for any other text. `1.2` is `1.2.0`."""
    found = _NUMBER.fullmatch(text) if len(text) <= MAX_NUMBER_CHARS else None
    if found is None:
        return None
    numbers = [int(each) for each in found["numbers"].split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    early = tuple(found["early"].split(".")) if found["early"] else ()
    return Version(tuple(numbers), early, found["build"] or "")


def is_same(one: str, other: str) -> bool:
    """Whether two texts name the same build of the same version."""
    if one == other:
        return True
    left, right = read_version(one), read_version(other)
    return left is not None and left == right


def is_newer(one: str, other: str) -> bool:
    """Whether `one` comes after `other`; False where either is no version."""
    left, right = read_version(one), read_version(other)
    return left is not None and right is not None and right < left


def _is_number(identifier: str) -> bool:
    return identifier.isascii() and identifier.isdecimal()
