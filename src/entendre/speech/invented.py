"""What Whisper writes where nobody spoke: the ends of the films that it learnt from."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources

_WORD = re.compile(r"\w+")
_NOT_SPOKEN = re.compile(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|[♪♫]+")
_GAP = re.compile(r"[.!?]\s+(?=\S)|[。！？]\s*(?=\S)")
_EVERYWHERE = "everywhere"


def without_inventions(text: str, language: str) -> str:
    """A text without descriptions of sounds, and without sentences at its end that nobody says to a machine."""
    kept = _NOT_SPOKEN.sub(" ", text).strip()
    never = _texts(language, "never_said")
    while kept:
        starts = [0, *(gap.end() for gap in _GAP.finditer(kept))]
        last = words_of(kept[starts[-1] :])
        if last and last not in never:
            break
        kept = kept[: starts[-1]].rstrip()
    return kept


def is_seldom_said(text: str, language: str) -> bool:
    """Whether a text is more often invented than said, so that it needs to be heard clearly."""
    return words_of(text) in _texts(language, "seldom_said")


def words_of(text: str) -> tuple[str, ...]:
    """A text's words without case and punctuation."""
    return tuple(_WORD.findall(text.casefold()))


@cache
def _texts(language: str, kind: str) -> frozenset[tuple[str, ...]]:
    document = json.loads(resources.files("entendre.speech").joinpath("invented.json").read_text(encoding="utf-8"))
    return frozenset(words_of(text) for tag in (_EVERYWHERE, language) for text in document.get(tag, {}).get(kind, ()))
