"""`entendre markets`: what is shown, what is missing, and that half a language is told of and never crashes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entendre.cli import main
from entendre.cli.markets import finding, language
from entendre.cli.markets.command import written_number
from entendre.cli.markets.finding import MISSING
from entendre.cli.markets.language import check_language, plural_forms
from entendre.cli.markets.market import check_market
from entendre.markets.loader import languages
from entendre.markets.market import markets


def test_markets_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["markets", "list"]) == 0
    shown = capsys.readouterr().out
    assert "12,34,567.5" in shown
    assert "speaker_identification" in shown
    assert main(["markets", "show", "in"]) == 0
    assert "lakh: 100000" in capsys.readouterr().out
    assert main(["markets", "show", "IN", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["formats"]["groups"] == [3, 2]
    assert main(["markets", "show", "XX"]) == 1


def test_numbers_are_written_as_in_the_country() -> None:
    assert written_number(markets()["IN"], 123_456_789.25) == "12,34,56,789.25"
    assert written_number(markets()["TR"], 1_000) == "1.000"
    assert written_number(markets()["RU"], 0.5) == "0,5"


@pytest.mark.parametrize("tag", languages())
def test_no_language_lacks_anything(tag: str) -> None:
    assert [each for each in check_language(tag) if each.severity == MISSING] == []


@pytest.mark.parametrize("code", markets())
def test_no_market_lacks_anything(code: str) -> None:
    assert [each for each in check_market(markets()[code]) if each.severity == MISSING] == []


def test_plural_forms_are_those_of_cldr() -> None:
    forms = {tag: plural_forms(tag) for tag in ("zh", "th", "ms", "fil", "hi", "ta", "tr", "pt", "es", "en", "ru")}
    assert forms == {"zh": 1, "th": 1, "ms": 1, "ru": 3} | dict.fromkeys(("fil", "hi", "ta", "tr", "pt", "es", "en"), 2)


def _half_written(folder: Path) -> None:
    """A language that somebody began: a file that is no YAML, one that is empty, replies that say too little."""
    pack = folder / "markets" / "languages" / "xx"
    pack.mkdir(parents=True)
    (pack / "words.yaml").write_text("token_pattern: [")
    (pack / "names.yaml").write_text("kinds:\n  light: [licht]\n")
    (pack / "say.yaml").write_text("")
    for skill in ("timers", "clock", "phrases"):
        place = folder / "skills" / skill
        (place / "places").mkdir(parents=True)
        english = "language: en\nreplies:\n  done: '{name} for {duration:duration}, {count:plural(a|b)}'\n  more: x\n"
        (place / "en.yaml").write_text(english)
        (place / "places" / "en.yaml").write_text("Europe/Paris: [Paris]\n")
    (folder / "skills" / "timers" / "xx.yaml").write_text("replies:\n  done: '{nam} {count:plural(a|b|c)}'\n")
    (folder / "skills" / "clock" / "xx.yaml").write_text("- a list")
    (folder / "skills" / "clock" / "places" / "xx.yaml").write_text("Europe/Nowhere: [Nowhere]\n")
    (folder / "markets" / "languages" / "en").mkdir()
    (folder / "markets" / "languages" / "en" / "names.yaml").write_text("kinds:\n  light: [light]\n  fan: [fan]\n")


def test_half_a_language_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _half_written(tmp_path)
    for module in (finding, language):
        monkeypatch.setattr(module, "package", lambda: tmp_path)
    found = check_language("xx")
    said = "\n".join(f"{each.place}: {each.text}" for each in found)
    for expected in (
        "markets/languages/xx/numbers.yaml: the file is not there",
        "kinds without words: fan",
        "no reply more",
        "{nam} is not known in English",
        "{name} is not said",
        "{count} has 3 plural forms, CLDR asks 2",
        "skills/phrases/xx.yaml: the file is not there",
        "spoken values: can't be read",
    ):
        assert expected in said
