"""Recordings of the data folder in the house format, and how far a transcript is from what was said."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from unicode_rbnf import RbnfEngine

from entendre.core.audio import Samples
from entendre.speech.audio import read_audio

_NUMBERS = RbnfEngine.for_language("en")


@dataclass(frozen=True)
class Recording:
    """One file with what was said in it, if known."""

    path: Path
    text: str
    language: str
    kind: str

    def samples(self) -> Samples:
        return read_audio(self.path)


@cache
def recordings(folder: Path, under: str) -> tuple[Recording, ...]:
    """Every recording of `speech/` or `commands/` whose path starts with `under`."""
    found = []
    for manifest in ("speech", "commands"):
        for line in (folder / manifest / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            place = f"{manifest}/{row['path']}"
            if place.startswith(under):
                words = Recording(
                    folder / place, row.get("text") or "", row.get("language") or "", row.get("kind") or ""
                )
                found.append(words)
    return tuple(found)


def words(text: str) -> list[str]:
    """English words, numbers spelled out, no case and no punctuation."""
    text = re.sub(r"(\d),(\d{3})", r"\1\2", text.lower().replace("never mind", "nevermind"))
    text = re.sub(r"\d+", lambda match: f" {_NUMBERS.format_number(int(match[0])).text} ", text).replace("-", " ")
    return re.sub(r"[^\w' ]", " ", text).split()


def word_errors(said: str, heard: str) -> int:
    """Least words to change, add or drop."""
    reference, found = words(said), words(heard)
    row = list(range(len(found) + 1))
    for place, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], place
        for column, other in enumerate(found, 1):
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, diagonal + (word != other))
    return row[-1]
