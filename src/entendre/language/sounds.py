"""Words that sound or look alike."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import copy
from functools import lru_cache

from rapidfuzz.distance import OSA

from entendre.language.pack import WordData
from entendre.language.skeletons import in_latin, skeleton

MIN_SPELLING_LENGTH = 5
LONG_WORD = 9
OTHER_SCRIPT_COST = 0.08
"""Of a name's word that a recognizer wrote in its own language's script."""
SAME_SOUND_COST = 0.06
"""Of a character for one that sounds the same, where all of them may have been misheard."""
MAX_CACHED_WORDS = 4096
MAX_CACHED_OF_NAMES = 512
"""Of one home's names: there may be thousands of homes, and 4096 words take half a megabyte."""


class SoundIndex:
    """Finds the words of a vocabulary that a misheard word may stand for."""

    def __init__(self, data: WordData, vocabulary: Iterable[str]) -> None:
        self._data = data
        self._rules = [(re.compile(old), new) for old, new in data.phonetics]
        self._forms = [(re.compile(old), new) for old, new in data.verb_forms]
        self._learn(vocabulary)

    def of(self, vocabulary: Iterable[str]) -> SoundIndex:
        """The same language's index of another vocabulary; cheap."""
        other = copy(self)
        other._learn(vocabulary, MAX_CACHED_OF_NAMES)
        for word in sorted(other._vocabulary):
            if skeleton(word):
                other._by_skeleton.setdefault(skeleton(word), []).append(word)
        return other

    def by_sound(self, fixed: frozenset[str]) -> SoundIndex:
        """The same index, in which characters also stand for those that sound the same, `fixed` ones for no other."""
        other = copy(self)
        other.alike = lru_cache(MAX_CACHED_OF_NAMES)(lambda word: () if word in fixed else self._by_sound(word))
        return other

    def _by_sound(self, word: str) -> tuple[tuple[str, float], ...]:
        found = dict(self.alike(word))
        for syllable in self._data.syllables.get(word, ()):
            for meant in self._by_syllable.get(syllable, ()):
                if meant != word:
                    found[meant] = min(found.get(meant, SAME_SOUND_COST), SAME_SOUND_COST)
        return tuple(found.items())

    def _learn(self, vocabulary: Iterable[str], cached: int = MAX_CACHED_WORDS) -> None:
        self._vocabulary = frozenset(vocabulary)
        self._by_key: dict[str, list[str]] = {}
        self._by_first: dict[str, list[str]] = {}
        self._by_skeleton: dict[str, list[str]] = {}
        self._by_syllable: dict[str, list[str]] = {}
        for word in sorted(self._vocabulary) if self._data.syllables else ():
            for syllable in self._data.syllables.get(word, ()):
                self._by_syllable.setdefault(syllable, []).append(word)
        for word in sorted(self._vocabulary):
            if len(word) > 2 and not word.isdigit():
                self._by_key.setdefault(self.key(word), []).append(word)
                self._by_first.setdefault(word[0], []).append(word)
        self.alike = lru_cache(cached)(self._alike)

    def __contains__(self, word: str) -> bool:
        return word in self._vocabulary

    def key(self, word: str) -> str:
        """How a word sounds, roughly."""
        for old, new in self._rules:
            word = old.sub(new, word)
        return word

    def _alike(self, word: str) -> tuple[tuple[str, float], ...]:
        """Words of the vocabulary that may be meant, with a cost each; none for a word that is surely itself."""
        found = {
            meant: self._data.confusion_cost
            for meant in self._data.confusions.get(word, ())
            if meant in self._vocabulary and meant != word
        }
        for old, new in self._forms:
            form, count = old.subn(new, word)
            if count and form in self._vocabulary and form != word:
                found[form] = self._data.verb_form_cost
        if word not in self._vocabulary and word not in self._data.known and word not in self._data.light:
            for meant in self._by_key.get(self.key(word), ()) if len(word) > 2 else ():
                if OSA.distance(word, meant) <= _phonetic_limit(word):
                    found.setdefault(meant, self._data.phonetic_cost)
            for meant in self._by_first.get(word[:1], ()):
                if _close(word, meant):
                    found.setdefault(meant, self._data.spelling_cost)
            for meant in self._by_skeleton.get(skeleton(word), ()):
                if in_latin(word) != in_latin(meant):
                    found.setdefault(meant, OTHER_SCRIPT_COST)
        return tuple(found.items())


def _phonetic_limit(word: str) -> int:
    """How many letters may differ between words that sound alike."""
    return 1 if len(word) < 5 else 2 if len(word) < 8 else 3


def _close(word: str, meant: str) -> bool:
    shorter = min(len(word), len(meant))
    if shorter < MIN_SPELLING_LENGTH or abs(len(word) - len(meant)) > 2:
        return False
    limit = 2 if shorter >= LONG_WORD else 1
    return OSA.distance(word, meant, score_cutoff=limit) <= limit
