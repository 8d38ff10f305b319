"""Whisper's byte-level tokens as text and times."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

SECONDS_PER_TIMESTAMP = 0.02
_LATIN = "latin"
_BEGINNINGS: Mapping[str, bytes] = {
    _LATIN: rb"[\xc2-\xc9]|\xe1[\xb8-\xbb]|\xe2(?:\x80(?:[\x90-\xa6]|\Z)|[\x81-\x84])",
    "cyrillic": rb"[\xd0-\xd3]",
    "arabic": rb"[\xd8-\xdb]",
    "devanagari": rb"\xe0[\xa4\xa5]",
    "tamil": rb"\xe0[\xae\xaf]",
    "thai": rb"\xe0[\xb8\xb9]",
    "han": rb"[\xe3-\xe9\xef]",
}
"""How the characters of a script begin in UTF-8; with Latin, punctuation and signs but no marks of direction."""
_LANGUAGE = re.compile(r"<\|([a-z]{2,3})\|>")


@lru_cache(maxsize=1)
def _byte_characters() -> dict[int, str]:
    """The printable stand-in of every byte, as GPT-2 defines them."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {byte: chr(byte) for byte in printable}
    others = [byte for byte in range(256) if byte not in table]
    return table | {byte: chr(256 + place) for place, byte in enumerate(others)}


class WhisperTokens:
    """The vocabulary of one model. Ids below `end` are text; ids from `first_timestamp` on are times."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._ids: Mapping[str, int] = {token: place for place, token in enumerate(vocabulary)}
        self._vocabulary = vocabulary
        self._bytes = {character: byte for byte, character in _byte_characters().items()}
        self.end = self._ids["<|endoftext|>"]
        self.start = self._ids["<|startoftranscript|>"]
        self.transcribe = self._ids["<|transcribe|>"]
        self.first_timestamp = self._ids["<|notimestamps|>"] + 1
        found = {match[1]: place for token, place in self._ids.items() if (match := _LANGUAGE.fullmatch(token))}
        self.languages: Mapping[str, int] = found

    @classmethod
    def load(cls, vocabulary: Path) -> WhisperTokens:
        """Read `vocabulary.json` or `.txt` as CTranslate2 writes them."""
        text = vocabulary.read_text(encoding="utf-8")
        tokens = json.loads(text) if vocabulary.suffix == ".json" else text.split("\n")
        return cls(tokens)

    def of_other_scripts(self, scripts: Collection[str]) -> list[int]:
        """Ids of text with letters that are neither Latin nor of these scripts.

        A token may be a piece of a character: its first bytes tell the script, and one that they don't tell is listed.
        """
        begins = b"|".join(_BEGINNINGS[script] for script in (_LATIN, *scripts))
        only = re.compile(rb"(?:[\x00-\xbf]|" + begins + rb")*", re.DOTALL)
        return [place for place in range(self.end) if only.fullmatch(self._raw(place)) is None]

    def _raw(self, place: int) -> bytes:
        return bytes(self._bytes[character] for character in self._vocabulary[place] if character in self._bytes)

    def text(self, ids: Sequence[int]) -> str:
        """The text of these ids; times and special tokens are left out."""
        raw = b"".join(self._raw(place) for place in ids if place < self.end)
        return raw.decode("utf-8", errors="replace").replace("\ufffd", "")

    def time_s(self, place: int) -> float | None:
        """The time that a timestamp token stands for, None for any other token."""
        return (place - self.first_timestamp) * SECONDS_PER_TIMESTAMP if place >= self.first_timestamp else None
