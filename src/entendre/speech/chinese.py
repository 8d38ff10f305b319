"""Chinese in simplified characters: recognizers mix both, and sentences and names are written in one."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

TRADITIONAL = ("zh-tw", "zh-hk", "zh-mo", "zh-hant", "yue")


def writes_simplified(language: str) -> bool:
    """Whether a tag means Chinese as it is written in China, Singapore and Malaysia."""
    tag = language.replace("_", "-").lower()
    return (tag == "zh" or tag.startswith(("zh-", "cmn"))) and not tag.startswith(TRADITIONAL)


def simplified(text: str) -> str:
    """A text with every traditional character in its simplified form."""
    return text.translate(_table())


@cache
def _table() -> dict[int, int]:
    document = json.loads(resources.files("entendre.speech").joinpath("simplified.json").read_text(encoding="utf-8"))
    return str.maketrans(document["traditional"], document["simplified"])
