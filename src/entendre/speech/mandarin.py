"""What Chinese sounds like, in the symbols of Kokoro: Pinyin by pypinyin, and its syllables one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from unicode_rbnf import RbnfEngine

_HAN = re.compile(r"[\u3400-\u9fff]+")
_DIGITS = re.compile(r"\d+")
_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_INITIALS = {
    "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "b": "p", "p": "pʰ", "m": "m", "f": "f", "d": "t", "t": "tʰ", "n": "n", "l": "l",
    "g": "k", "k": "kʰ", "h": "x", "j": "ʨ", "q": "ʨʰ", "x": "ɕ", "r": "ɻ", "z": "ʦ", "c": "ʦʰ", "s": "s",
}  # fmt: skip
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ",
    "er": "ɚ0", "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n",
    "iou": "jou0", "ing": "i0ŋ", "iong": "jʊ0ŋ", "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "uei": "wei0", "ua": "wa0",
    "uai": "wai0", "uan": "wa0n", "uen": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "v": "y0",
    "ve": "ɥe0", "van": "ɥɛ0n", "vn": "y0n",
}  # fmt: skip
_SHORT = {"iu": "iou", "ui": "uei", "un": "uen", "ue": "ve"}
_BUZZED = ("zh", "ch", "sh", "r", "z", "c", "s")
"""Initials after which Pinyin's "i" is no vowel of its own."""
_PUNCTUATION = str.maketrans({"、": ", ", "，": ", ", "。": ". ", "！": "! ", "：": ": ", "；": "; ", "？": "? "})


def mandarin_sounds(text: str) -> Iterator[tuple[str, bool]]:
    """The runs of a text: Chinese as sounds (true), and the rest as it is written (false).

    Raises: ImportError without pypinyin.
    """
    text = _DIGITS.sub(lambda match: str(_numbers().format_number(int(match[0])).text), text).translate(_PUNCTUATION)
    place = 0
    for run in _HAN.finditer(text):
        if run.start() > place:
            yield text[place : run.start()], False
        yield " ".join(_words(run[0])), True
        place = run.end()
    if place < len(text):
        yield text[place:], False


def syllable(pinyin: str) -> str:
    """One syllable with its tone as a digit, "zhang1", in sounds."""
    letters, tone = (pinyin[:-1], pinyin[-1]) if pinyin[-1:].isdigit() else (pinyin, "5")
    letters = letters.replace("ü", "v")
    initial = next((start for start in _INITIALS if letters.startswith(start)), "")
    final = letters[len(initial) :]
    if initial in _BUZZED and final == "i":
        sounds = "ɨ0"
    else:
        sounds = _FINALS.get(_whole(initial, final), "")
    return _INITIALS.get(initial, "") + sounds.replace("0", _TONES.get(tone, ""))


def _whole(initial: str, final: str) -> str:
    """A final as it is without Pinyin's abbreviations: "yan" is "ian", "wu" is "u", "ju" is "jü"."""
    if not initial and final[:1] == "y":
        rest = final[1:]
        if rest[:1] == "u":
            return "v" + rest[1:]
        return rest if rest[:1] == "i" else {"ou": "iou", "ong": "iong", "o": "io"}.get(rest, "i" + rest)
    if not initial and final[:1] == "w":
        rest = final[1:]
        return rest if rest == "u" else {"ei": "uei", "en": "uen"}.get(rest, "u" + rest)
    if initial in ("j", "q", "x") and final[:1] == "u":
        return "v" + final[1:]
    return _SHORT.get(final, final)


def _words(text: str) -> Iterator[str]:
    from pypinyin import Style, lazy_pinyin
    from pypinyin.seg import mmseg

    for word in mmseg.seg.cut(text):
        yield "".join(map(syllable, lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True)))


def _numbers() -> RbnfEngine:
    return RbnfEngine.for_language("zh")
