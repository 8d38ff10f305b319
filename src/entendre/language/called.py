"""A call at the beginning of a sentence, by a wake word that was heard as something else: "hey raspy, turn on …"."""

from __future__ import annotations

from rapidfuzz.distance import OSA

from entendre.language.pack import WordData
from entendre.language.tokens import Tokens

NEAR = 0.6
"""Least likeness of letters, 0 to 1: above it are a wake word's own mishearings, below it other people's names."""
MAX_NAME_WORDS = 2
LEAST_REST_WORDS = 2


def without_call(tokens: Tokens, data: WordData) -> Tokens | None:
    """What follows a greeting and what sounds like a wake word; None if the sentence does not begin so."""
    words = tokens.words
    if not words or words[0] not in data.greetings:
        return None
    best, length = NEAR, 0
    for count in range(1, MAX_NAME_WORDS + 1):
        if len(words) < 1 + count + LEAST_REST_WORDS:
            break
        name = "".join(words[1 : 1 + count])
        likeness = max((OSA.normalized_similarity(name, each) for each in data.called), default=0.0)
        if likeness >= best:
            best, length = likeness, count
    return tokens.part(1 + length, len(words)) if length else None
