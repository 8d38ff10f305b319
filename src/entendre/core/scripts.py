"""Which script a text is written in, and so which of a few languages it can be."""

from __future__ import annotations

import re
from collections.abc import Sequence

from entendre.core.tags import base_tag

LATIN = "latin"
_SCRIPTS = {
    "cyrillic": r"\u0400-\u052f",
    "arabic": r"\u0600-\u06ff\u0750-\u077f",
    "devanagari": r"\u0900-\u097f",
    "tamil": r"\u0b80-\u0bff",
    "thai": r"\u0e00-\u0e7f",
    "han": r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff",
    LATIN: r"A-Za-z\u00c0-\u024f\u1e00-\u1eff",
}
_LETTERS = {name: re.compile(f"[{ranges}]") for name, ranges in _SCRIPTS.items()}
_OF_LANGUAGE = {
    "ru": "cyrillic", "uk": "cyrillic", "bg": "cyrillic", "ar": "arabic", "fa": "arabic", "ur": "arabic",
    "hi": "devanagari", "mr": "devanagari", "ne": "devanagari", "ta": "tamil", "th": "thai", "zh": "han", "yue": "han",
}  # fmt: skip


def script_of(text: str) -> str:
    """The script that most letters of a text are of; Latin for a text without letters."""
    counts = {name: len(letters.findall(text)) for name, letters in _LETTERS.items()}
    return max(counts, key=lambda name: (counts[name], name == LATIN))


def written_in(language: str) -> str:
    """The script of a language that is not written in Latin letters; Latin for all others."""
    return _OF_LANGUAGE.get(base_tag(language), LATIN)


def by_script(text: str, languages: Sequence[str]) -> tuple[str, ...]:
    """The languages that a text can be in, those of its script first; all of them where none has it.

    Everybody writes names and borrowed words in Latin letters, and many their own language too, so those exclude none.
    """
    script = script_of(text)
    own = tuple(tag for tag in languages if written_in(tag) == script)
    others = tuple(tag for tag in languages if tag not in own)
    return own if own and script != LATIN else own + others
