"""Phrases of several words, found at a place of a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Phrases(Generic[Value]):
    """A set of phrases, each with a value."""

    def __init__(self, values: Mapping[str, Value], words_of: Callable[[str], tuple[str, ...]]) -> None:
        self._by_first: dict[str, list[tuple[tuple[str, ...], Value]]] = {}
        self._beginnings: set[tuple[str, ...]] = set()
        for phrase, value in values.items():
            words = words_of(str(phrase))
            if words:
                self._by_first.setdefault(words[0], []).append((words, value))
                self._beginnings.update(words[:length] for length in range(1, len(words)))
        for entries in self._by_first.values():
            entries.sort(key=lambda entry: -len(entry[0]))

    def at(self, words: Sequence[str], start: int) -> list[tuple[int, Value]]:
        """Every phrase that begins at `start`: where it ends and its value, longest first."""
        if start >= len(words):
            return []
        entries = self._by_first.get(words[start])
        if not entries:
            return []
        return [
            (start + len(phrase), value)
            for phrase, value in entries
            if tuple(words[start : start + len(phrase)]) == phrase
        ]

    def longest(self, words: Sequence[str], start: int) -> tuple[int, Value] | None:
        """The longest phrase that begins at `start`."""
        found = self.at(words, start)
        return found[0] if found else None

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
