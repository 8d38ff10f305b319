"""Languages are compiled when they are needed, and ahead of their first sentence in a thread of their own."""

from __future__ import annotations

from threading import Event, current_thread

import pytest

from entendre.language.understander import Understander
from entendre.markets.loader import languages as taught
from entendre.skills.languages import Languages
from entendre.skills.plugins import load_skills

WAIT_S = 60.0


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> tuple[list[tuple[str, str]], Event]:
    """Which languages were compiled in which thread; the event is set at the first one that is not English."""
    found: list[tuple[str, str]] = []
    event = Event()
    compile_ = Languages._compile

    def recorded(self: Languages, language: str) -> Understander:
        made = compile_(self, language)
        found.append((language, current_thread().name))
        if language != "en":
            event.set()
        return made

    monkeypatch.setattr(Languages, "_compile", recorded)
    return found, event


def test_a_server_begins_with_its_own_language_and_knows_which_others_there_are(
    compiled: tuple[list[tuple[str, str]], Event],
) -> None:
    languages = Languages(load_skills())
    assert languages.tags == set(taught())
    assert [language for language, _ in compiled[0]] == ["en"]


def test_a_language_is_made_ready_beside_the_conversation(compiled: tuple[list[tuple[str, str]], Event]) -> None:
    languages = Languages(load_skills())
    for language in ("fil", "fil", "en", "tlh"):
        languages.prepare(language)
    assert compiled[1].wait(WAIT_S)
    assert languages.understander("fil") is not None
    (other,) = [entry for entry in compiled[0] if entry[0] != "en"]
    assert other[0] == "fil"
    assert other[1] != current_thread().name
