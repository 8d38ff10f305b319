"""Names of things in the cloud: slugs for programs, labels for people, and lists of words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from entendre.core.errors import InvalidInputError

MAX_SLUG_CHARS = 40
SLUG = rf"^[a-z0-9](?:[a-z0-9-]{{0,{MAX_SLUG_CHARS - 2}}}[a-z0-9])?$"
MAX_LABEL_CHARS = 100
MAX_WORD_CHARS = 60
MAX_WORDS = 64
"""Wake words, voices or tools of one product."""

_SLUG = re.compile(SLUG)
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def slug_of(text: str) -> str:
    """A name for programs. What looks like an id is none. Raises: InvalidInputError."""
    if not _SLUG.fullmatch(text) or _ID.fullmatch(text):
        raise InvalidInputError(
            f"A name has 1 to {MAX_SLUG_CHARS} of a-z, 0-9 and -, begins and ends with none of -, and is no id."
        )
    return text


def label_of(text: str) -> str:
    """A name for people, without spaces around it. Raises: InvalidInputError."""
    stripped = text.strip()
    if not 1 <= len(stripped) <= MAX_LABEL_CHARS or not stripped.isprintable():
        raise InvalidInputError(f"A name for people has 1 to {MAX_LABEL_CHARS} printable characters.")
    return stripped


def words_of(words: Sequence[str]) -> tuple[str, ...]:
    """Wake words, voices or tools, each once. Raises: InvalidInputError."""
    kept = tuple(dict.fromkeys(word.strip() for word in words))
    if len(kept) > MAX_WORDS or any(not 1 <= len(word) <= MAX_WORD_CHARS or not word.isprintable() for word in kept):
        raise InvalidInputError(f"At most {MAX_WORDS} words, each of 1 to {MAX_WORD_CHARS} printable characters.")
    return kept
