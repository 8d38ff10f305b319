"""Reply text cut where a voice may pause."""

from __future__ import annotations

import re

SHORTEST_SENTENCE_CHARACTERS = 2
LONGEST_SENTENCE_CHARACTERS = 280
_SENTENCE_END = re.compile(r"(?<=[.!?…।؟])[\"'”’)\]]*\s+(?=\S)|(?<=[。！？；])[\"”’）」』]*|\n+")
_CLAUSE_END = re.compile(r"(?<=[,;:—،])\s+|(?<=[，、：])")
_SPACE = re.compile(r"\s+")


def sentences(text: str) -> list[str]:
    """The sentences of a text in order, none empty; a very long one is cut at its clauses."""
    found: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        sentence = _SPACE.sub(" ", sentence).strip()
        if not sentence:
            continue
        joins = found and len(found[-1]) < SHORTEST_SENTENCE_CHARACTERS + 1 and found[-1].endswith(".")
        if joins:
            found[-1] = f"{found[-1]} {sentence}"
        elif len(sentence) <= LONGEST_SENTENCE_CHARACTERS:
            found.append(sentence)
        else:
            found.extend(_clauses(sentence))
    return found


def _clauses(sentence: str) -> list[str]:
    parts: list[str] = []
    for clause in _CLAUSE_END.split(sentence):
        for start in range(0, len(clause), LONGEST_SENTENCE_CHARACTERS):
            piece = clause[start : start + LONGEST_SENTENCE_CHARACTERS]
            if parts and len(parts[-1]) + len(piece) < LONGEST_SENTENCE_CHARACTERS:
                parts[-1] = f"{parts[-1]} {piece}"
            else:
                parts.append(piece)
    return parts
