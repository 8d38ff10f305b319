"""Text becomes words by the language's own rules; every word remembers where it stood."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from entendre.language.pack import WordData

LETTER = r"[^\W\d_]"
"""What a token pattern calls a letter."""
MARKS = "\u0300-\u036f\u0900-\u0963\u0980-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u200c\u200d"
"""Vowel signs and accents, which `re` does not count as letters and which no word ends before."""
_UNSEEN = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe0e\ufe0f\ufeff\ud800-\udfff]"
)
"""What text is pasted with and nobody says: controls, soft hyphens, joiners, marks of direction, half characters."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word in its normal form; `start` and `end` are positions in `Tokens.text`."""

    word: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Tokens:
    """A sentence as words."""

    text: str
    tokens: tuple[Token, ...]
    words: tuple[str, ...]

    def between(self, start: int, end: int) -> str:
        """The text as it was said from word `start` to before word `end`."""
        if start >= end:
            return ""
        return self.text[self.tokens[start].start : self.tokens[end - 1].end]

    def part(self, start: int, end: int) -> Tokens:
        """A sentence of some of the words."""
        return Tokens(self.text, self.tokens[start:end], self.words[start:end])

    def joined(self, other: Tokens) -> Tokens:
        """This sentence's words and then the other's, which must be of the same text."""
        return Tokens(self.text, self.tokens + other.tokens, self.words + other.words)


def _plain(text: str) -> str:
    """Composed characters that are seen, and the decimal digits of any script as ours."""
    if text.isascii() and text.isprintable():
        return text
    composed = unicodedata.normalize("NFC", _UNSEEN.sub("", text))
    return "".join(str(unicodedata.digit(each)) if each.isdecimal() else each for each in composed)


class Tokenizer:
    """Cuts text into words as one language does."""

    def __init__(self, data: WordData) -> None:
        self._replacements = [(re.compile(old, re.IGNORECASE), new) for old, new in data.replacements]
        self._case = str.maketrans(dict(data.case))
        self._pattern = re.compile(data.token_pattern.replace(LETTER, f"(?:{LETTER}|[{MARKS}])"))
        self._accents = str.maketrans(dict(data.folded))
        self._contractions = {
            word: tuple(long.translate(self._accents).split()) for word, long in data.contractions.items()
        }
        self._inflections = [(re.compile(end), base, tuple(more)) for end, base, *more in data.inflections]
        self._inflected = data.inflected
        self._possessive = [re.compile(ending) for ending in data.possessive]
        self._plural = [(re.compile(ending), new) for ending, new in data.plural_endings]
        self.stem = lru_cache(maxsize=20_000)(self._stem)
        self._words = lru_cache(maxsize=20_000)(self._normal)

    def tokenize(self, text: str) -> Tokens:
        """The words of a sentence."""
        text = _plain(text)
        for old, new in self._replacements:
            text = old.sub(new, text)
        tokens: list[Token] = []
        for match in self._pattern.finditer(text):
            for word in self._words(match.group().translate(self._case).casefold()):
                tokens.append(Token(word, match.start(), match.end()))
        return Tokens(text, tuple(tokens), tuple(token.word for token in tokens))

    def words(self, text: str) -> tuple[str, ...]:
        """The words of a sentence, without their places."""
        return self.tokenize(text).words

    def _normal(self, word: str) -> tuple[str, ...]:
        word = word.replace("’", "'")
        long = self._contractions.get(word)
        if long is not None:
            return long
        if self._accents and not word.isascii():
            folded = word.translate(self._accents)
            if folded != word:
                return self._normal(folded)
        if self._inflections and (found := self._without_ending(word)) is not None:
            return found
        if "'" in word:
            for ending in self._possessive:
                word = ending.sub("", word)
            word = word.replace("'", "")
        return (word,) if word else ()

    def _without_ending(self, word: str) -> tuple[str, ...] | None:
        """A word that is known in another form, and what its ending says; None if it is none."""
        for ending, base, says in self._inflections:
            form, count = ending.subn(base, word, count=1)
            if count and form in self._inflected:
                return self._contractions.get(form, (form,)) + says
        return None

    def _stem(self, word: str) -> str:
        for ending, new in self._plural:
            stem, count = ending.subn(new, word)
            if count:
                return stem if len(stem) > 1 else word
        return word
