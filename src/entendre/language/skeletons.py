"""Words of one script as another writes them: a name in Han heard as Latin letters, a Latin one in Devanagari."""

from __future__ import annotations

import re
from functools import lru_cache

from anyascii import anyascii

_SOUNDS = (
    (re.compile("[^a-zC]+"), ""),
    (re.compile("(?:tch|ch|j)"), "C"),
    (re.compile("igh"), ""),
    (re.compile("(?:sh|z|c(?=[eiy]))"), "s"),
    (re.compile("ph"), "f"),
    (re.compile("(?:kh|ck|[ckqg])"), "k"),
    (re.compile("[wb]"), "v"),
    (re.compile("[dt]h?"), "t"),
    (re.compile("[aeiouyh]+"), ""),
    (re.compile(r"(.)\1+"), r"\1"),
)
LEAST_SKELETON = 2
"""Consonants below which a skeleton says too little."""


_NOT_LATIN = re.compile("[^\u0000-\u036f\u1e00-\u1eff]")


def in_latin(word: str) -> bool:
    """Whether a word is written in Latin letters, with marks or without."""
    return not _NOT_LATIN.search(word)


@lru_cache(maxsize=4096)
def latin(text: str) -> str:
    """A text in Latin letters, roughly as it sounds."""
    return text if text.isascii() else str(anyascii(text)).casefold()


@lru_cache(maxsize=4096)
def skeleton(word: str) -> str:
    """The consonants of a word, alike for scripts that spell a sound differently; empty if too few are left."""
    text = latin(word)
    if not word.isascii():
        text = text.replace("c", "C")  # which stands for the sound of "ch" there
    for old, new in _SOUNDS:
        text = old.sub(new, text)
    return text if len(text) >= LEAST_SKELETON else ""
