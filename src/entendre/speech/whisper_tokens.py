"""Whisper's byte-level tokens as text and times."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

SECONDS_PER_TIMESTAMP = 0.02
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

    def text(self, ids: Sequence[int]) -> str:
        """The text of these ids; times and special tokens are left out."""
        raw = bytearray()
        for place in ids:
            if place < self.end:
                raw.extend(self._bytes[character] for character in self._vocabulary[place] if character in self._bytes)
        return raw.decode("utf-8", errors="replace").replace("\ufffd", "")

    def time_s(self, place: int) -> float | None:
        """The time that a timestamp token stands for, None for any other token."""
        return (place - self.first_timestamp) * SECONDS_PER_TIMESTAMP if place >= self.first_timestamp else None
