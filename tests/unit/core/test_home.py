"""Names of a home: which one is said in which language."""

from __future__ import annotations

import pytest

from entendre.core.home import Names, name_in

MIXED = {"": ("Лампа", "โคมไฟ", "臺燈", "Lamp")}


@pytest.mark.parametrize(
    ("names", "language", "said"),
    [
        (MIXED, "ru", "Лампа"),
        (MIXED, "th-TH", "โคมไฟ"),
        (MIXED, "zh", "臺燈"),
        (MIXED, "es", "Lamp"),
        (MIXED, "ta", "Лампа"),
        ({"en": ("Lamp",), "ru": ("Лампа",)}, "uk", "Лампа"),
        ({"en": ("Lamp",), "th": ("TV", "ทีวี")}, "th", "TV"),
        ({"pt": ("Luz",), "": ("Lamp",)}, "pt-BR", "Luz"),
        ({"en": ("Lamp",), "": ("Leuchte",)}, "pt-BR", "Leuchte"),
        ({}, "en", ""),
    ],
)
def test_the_name_that_is_said(names: Names, language: str, said: str) -> None:
    assert name_in(names, language) == said
