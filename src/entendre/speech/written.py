"""Texts as simple voices need them: signs as words, numbers without what only eyes need, sentence by sentence."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from unicode_rbnf import RbnfEngine

from entendre.core.tags import base_tag

LONGEST_PIECE_CHARACTERS = 160
_SPACES = "\u00a0\u202f\u2009 "
_NUMBER = rf"[-−]?\d+(?:[.,'{_SPACES}]\d+)*"
_DEGREES = re.compile(rf"({_NUMBER})[{_SPACES}]*(?:°[{_SPACES}]?[CFcf]\b|℃|℉|°)")
_PERCENT = re.compile(rf"({_NUMBER})[{_SPACES}]*[%％]|[%％][{_SPACES}]*({_NUMBER})")
_ANY_NUMBER = re.compile(r"(?<![\d:.,])\d+(?:[.,\u00a0\u202f\u2009 ']\d+)*(?![\d:])")
_END = re.compile(r"(?<=[.!?…])[\"'»”’)\]]*\s+|(?<=[。！？।॥])[」』”’）]*\s*|\n+")
_THAI = re.compile(r"(?<=[\u0e00-\u0e7f]) +(?=[\u0e00-\u0e7f])")


def for_voice(text: str, language: str) -> str:
    """A text with degrees and percent in words, and its numbers in digits that voices of that language read right."""
    signs = _signs(language)
    if not signs:
        return text
    text = _DEGREES.sub(lambda match: f"{match[1]} {_form(signs['degrees'], match[1], language)}", text)
    text = _PERCENT.sub(lambda match: _percent(match[1] or match[2], signs, language, match[0]), text)
    text = _ANY_NUMBER.sub(lambda match: _number(match[0], signs), text)
    for word, said in signs.get("respelled", {}).items():
        text = re.sub(rf"\b{word}\b", said, text)
    return text


def sentences(text: str) -> Iterator[str]:
    """A text in the pieces that are spoken one after another; in Thai, which has no full stop, at its spaces."""
    for sentence in _END.split(text):
        if len(sentence) <= LONGEST_PIECE_CHARACTERS:
            pieces = [sentence]
        else:
            pieces = _THAI.split(sentence)
        yield from (piece.strip() for piece in pieces if piece.strip())


def _percent(number: str, signs: Mapping[str, Any], language: str, as_it_was: str) -> str:
    if before := signs.get("percent_before"):
        return f"{before} {number}"
    if word := signs.get("percent"):
        return f"{number} {word if isinstance(word, str) else _form(word, number, language)}"
    return as_it_was


def _number(text: str, signs: Mapping[str, Any]) -> str:
    """A number without its group signs. What is no number of that language, such as a date with points, stays."""
    group, decimal = signs["group"], signs["decimal"]
    groups = re.escape(group) if group != " " else f"[{_SPACES}]"
    grouped = re.fullmatch(rf"(\d{{1,3}}(?:{groups}\d{{2,3}})*{groups}\d{{3}}|\d+)(?:{re.escape(decimal)}(\d+))?", text)
    if grouped is None:
        return text
    whole = re.sub(r"\D", "", grouped[1])
    if spelled := signs.get("numbers"):
        whole = _spelled(int(whole), spelled)
    if grouped[2] is None:
        return whole
    point = signs.get("point")
    return f"{whole} {point} {' '.join(grouped[2])}" if point else f"{whole}{decimal}{grouped[2]}"


def _form(forms: Sequence[str], number: str, language: str) -> str:
    """The form of a word that follows a number: for one and for more, in Russian also for a few."""
    digits = re.sub(r"\D", "", number)
    whole = digits == re.sub(r"[-−]", "", number)
    if len(forms) == 2:
        return forms[0] if digits == "1" else forms[1]
    if not whole:
        return forms[1]
    last, last_two = int(digits[-1]), int(digits[-2:])
    if last == 1 and last_two != 11:
        return forms[0]
    return forms[1] if last in (2, 3, 4) and last_two not in (12, 13, 14) else forms[2]


def _spelled(number: int, language: str) -> str:
    """A number in words, without the accents that only dictionaries write."""
    words = unicodedata.normalize("NFD", _rules(language).format_number(number).text)
    return "".join(letter for letter in words if not unicodedata.combining(letter)).replace("’", "'")


@cache
def _rules(language: str) -> RbnfEngine:
    return RbnfEngine.for_language(language)


@cache
def _signs(language: str) -> Mapping[str, Any]:
    document = json.loads(resources.files("entendre.speech").joinpath("written.json").read_text(encoding="utf-8"))
    tag = language.replace("_", "-").lower()
    found: Mapping[str, Any] = document.get(tag) or document.get(base_tag(tag)) or {}
    return found
