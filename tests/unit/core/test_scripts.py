from __future__ import annotations

import pytest

from entendre.core.scripts import by_script, script_of


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("turn on the light", "latin"),
        ("ışığı aç", "latin"),
        ("включи свет на 5 минут", "cyrillic"),
        ("रसोई की लाइट on करो", "devanagari"),
        ("விளக்கை அணை", "tamil"),
        ("เปิดไฟ", "thai"),
        ("打开客厅的灯", "han"),
        ("7:30", "latin"),
    ],
)
def test_script(text: str, script: str) -> None:
    assert script_of(text) == script


def test_a_script_decides_where_it_can() -> None:
    assert by_script("打开灯", ("en", "zh-CN", "ms")) == ("zh-CN",)
    assert by_script("เปิดไฟ", ("th", "en")) == ("th",)


def test_latin_letters_exclude_nothing() -> None:
    assert by_script("bedroom ki light on karo", ("hi", "en")) == ("en", "hi")
    assert by_script("turn on the light", ("ms", "en", "zh")) == ("ms", "en", "zh")


def test_a_script_of_none_of_them_leaves_all() -> None:
    assert by_script("включи", ("en", "zh")) == ("en", "zh")
