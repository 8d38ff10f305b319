"""The words of the pages: every language says the same things, in fonts that systems have."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest

WEB = Path(__file__).resolve().parents[3] / "src" / "entendre" / "web"
FAMILIES = {
    "talk": sorted((WEB / "static").glob("text.*.json")),
    "account": sorted((WEB / "forms").glob("account.*.json")),
}
FILES = [pytest.param(family, file, id=file.name) for family, files in FAMILIES.items() for file in files]
TEN = ("en", "es", "fil", "hi", "ms", "pt", "ru", "ta", "th", "tr", "zh")
MARK = re.compile(r"\{\w+\}")
SCRIPTS = {"THAI": "th", "DEVANAGARI": "hi", "TAMIL": "ta", "CJK": "zh"}


def read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


def marks(text: object) -> list[str]:
    return sorted(MARK.findall(str(text)))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_language_of_the_markets_has_its_words(family: str) -> None:
    tags = {file.name.split(".")[1] for file in FAMILIES[family]}
    assert tags >= set(TEN)


@pytest.mark.parametrize(("family", "file"), FILES)
def test_every_language_says_the_same_things(family: str, file: Path) -> None:
    english = read(next(each for each in FAMILIES[family] if ".en." in each.name))
    words = read(file)
    assert list(words) == list(english)
    for name, said in english.items():
        assert type(words[name]) is type(said), name
        assert words[name], name
        assert marks(words[name]) == marks(said), name


@pytest.mark.parametrize(("family", "file"), FILES)
def test_the_font_of_the_language_is_named(family: str, file: Path) -> None:
    words = read(file)
    letters = "".join(str(each) for each in words.values())
    found = {unicodedata.name(each, "").split()[0] for each in letters if each.isalpha()} & set(SCRIPTS)
    css = (WEB / "static" / "fonts.css").read_text(encoding="utf-8")
    for script in found:
        assert words["tag"].split("-")[0] == SCRIPTS[script]
        assert f":root:lang({SCRIPTS[script]})" in css


def test_the_pages_name_no_word_that_is_missing() -> None:
    english = read(WEB / "static" / "text.en.json")
    files = [file for file in (WEB / "static").iterdir() if file.suffix in {".js", ".html"}]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    named = set(re.findall(r"""(?:\btext|notice)\("(\w+)\"""", code))
    named |= set(re.findall(r'data-(?:text|label|placeholder)="(\w+)"', code))
    assert named <= set(english)
    assert len(named) > 10
