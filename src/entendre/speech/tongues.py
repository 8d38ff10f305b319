"""Which of a few languages was spoken, by a recognizer's probabilities of all that it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from entendre.core.scripts import by_script
from entendre.core.tags import base_tag, tags_of

FAVOUR = 2.0
"""So much likelier than the expected language another must be. From 1 to 3, 504 of 510 choices between English and one
of five other languages are right on recordings; what is not is mostly no command."""
NEAR = 0.2
"""A second language with so much of the first one's probability is worth a look where the first makes no sense."""
_RELATIVES = {
    "ms": ("id", "jv", "su"),
    "hi": ("ur",),
    "pt": ("gl",),
    "es": ("gl", "ca"),
    "ru": ("uk", "be"),
    "zh": ("yue",),
    "tr": ("az",),
    "th": ("lo",),
}
"""Languages that sound so alike that recognizers take one for the other: what they get counts for the one spoken here,
unless they are spoken too."""
_LEAST = 1e-5


def choose(probabilities: Mapping[str, float], tags: Sequence[str]) -> tuple[str, str]:
    """The tag that was spoken, and another that is about as likely or empty; `tags` has the expected one first.

    `probabilities` are by base language.
    """
    bases = [base_tag(tag) for tag in tags]
    weights = [_weight(probabilities, base, bases) for base in bases]
    weights[0] *= FAVOUR
    order = sorted(range(len(tags)), key=lambda place: -weights[place])
    first, *others = order
    near = [place for place in others[:1] if weights[place] >= NEAR * weights[first]]
    return tags[first], tags[near[0]] if near else ""


def spoken_tag(text: str, asked: str, told: str = "") -> str:
    """The tag of what an engine elsewhere wrote: of those asked for the one that it told, or whose script it is."""
    tags = tags_of(asked)
    if len(tags) < 2:
        return told or asked
    for tag in tags:
        if told and base_tag(tag) == base_tag(told):
            return tag
    return by_script(text, tags)[0]


def _weight(probabilities: Mapping[str, float], base: str, bases: Sequence[str]) -> float:
    relatives = (each for each in _RELATIVES.get(base, ()) if each not in bases)
    return _LEAST + sum(probabilities.get(each, 0.0) for each in (base, *relatives))
