"""Phrases of several words, found at a place of a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Phrases(Generic[Value]):
    """A set of phrases, each with a value."""

    def __init__(self, values: Mapping[str, Value], words_of: Callable[[str], tuple[str, ...]]) -> None:
        self._values: dict[tuple[str, ...], list[Value]] = {}
        self._beginnings: set[tuple[str, ...]] = set()
        lengths: dict[str, set[int]] = {}
        for phrase, value in values.items():
            words = words_of(str(phrase))
            if words:
                self._values.setdefault(words, []).append(value)
                lengths.setdefault(words[0], set()).add(len(words))
                self._beginnings.update(words[:length] for length in range(1, len(words)))
        self._lengths = {first: tuple(sorted(found, reverse=True)) for first, found in lengths.items()}

    def at(self, words: Sequence[str], start: int) -> list[tuple[int, Value]]:
        """Every phrase that begins at `start`: where it ends and its value, longest first."""
        lengths = self._lengths.get(words[start]) if start < len(words) else None
        if lengths is None:
            return []
        return [
            (start + length, value)
            for length in lengths
            if start + length <= len(words)
            for value in self._values.get(tuple(words[start : start + length]), ())
        ]

    def longest(self, words: Sequence[str], start: int) -> tuple[int, Value] | None:
        """The longest phrase that begins at `start`."""
        lengths = self._lengths.get(words[start]) if start < len(words) else None
        for length in lengths or ():
            found = self._values.get(tuple(words[start : start + length]))
            if found is not None and start + length <= len(words):
                return start + length, found[0]
        return None

    def begins(self, words: Sequence[str]) -> bool:
        """Whether these words are a beginning of a phrase, but not the whole of it."""
        return tuple(words) in self._beginnings


def phrase_set(phrases: Iterable[str], words_of: Callable[[str], tuple[str, ...]]) -> Phrases[None]:
    """Phrases without values."""
    return Phrases(dict.fromkeys(phrases), words_of)


class EdgeWords:
    """Phrases that words may begin or end with."""

    def __init__(self, phrases: Iterable[str], words_of: Callable[[str], tuple[str, ...]]) -> None:
        cut = frozenset(words for phrase in phrases if (words := words_of(phrase)))
        self._phrases = cut
        self._lengths = tuple(sorted({len(words) for words in cut}))

    def begins(self, words: Sequence[str]) -> bool:
        """Whether words begin with one of the phrases."""
        return any(tuple(words[:length]) in self._phrases for length in self._lengths)

    def ends(self, words: Sequence[str]) -> bool:
        """Whether words end with one of the phrases."""
        return any(tuple(words[-length:]) in self._phrases for length in self._lengths)

    def within(self, words: Sequence[str]) -> bool:
        """Whether one of the phrases stands anywhere in words."""
        return any(
            tuple(words[start : start + length]) in self._phrases
            for length in self._lengths
            for start in range(len(words) - length + 1)
        )

    def __bool__(self) -> bool:
        return bool(self._phrases)
