"""Languages are compiled when they are needed, and ahead of their first sentence in a thread of their own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from threading import Event, Thread, current_thread
from threading import enumerate as enumerate_threads

import pytest

from entendre.core.home import HomeSnapshot
from entendre.core.plan import DeviceView, World
from entendre.language.understander import Understander
from entendre.markets.loader import languages as taught
from entendre.session.tongue import understand_in
from entendre.skills.languages import Languages
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills

WAIT_S = 60.0
WORLD = World(datetime(2026, 11, 25, 10, tzinfo=UTC), HomeSnapshot(), DeviceView("speaker"))


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
    languages.close()


def test_what_goes_wrong_ahead_is_logged_when_it_happens(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    languages = Languages(load_skills())

    def broken(self: Languages, language: str) -> Understander:
        raise LookupError(f"nothing for {language}")

    monkeypatch.setattr(Languages, "_compile", broken)
    languages.prepare("fil")
    languages.close()  # waits for it
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert record.__dict__["language"] == "fil"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)
    assert languages.understander("fil") is None


def test_the_end_waits_for_the_language_under_way_and_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    languages = Languages(load_skills())
    english, before = languages.understander("en"), set(enumerate_threads())
    begun, goes_on, compiled = Event(), Event(), list[str]()

    def slow(self: Languages, language: str) -> Understander:
        begun.set()
        assert goes_on.wait(WAIT_S)
        compiled.append(language)
        assert english is not None
        return english

    monkeypatch.setattr(Languages, "_compile", slow)
    for language in ("fil", "th", "ms"):
        languages.prepare(language)
    assert begun.wait(WAIT_S)
    ending = Thread(target=languages.close)
    ending.start()
    ending.join(0.05)
    assert ending.is_alive(), "one is being compiled"
    languages.prepare("ru")
    goes_on.set()
    ending.join(WAIT_S)
    assert not ending.is_alive()
    assert compiled == ["fil"]
    assert set(enumerate_threads()) <= before
    languages.prepare("ru")
    assert compiled == ["fil"]


async def test_the_first_sentence_in_a_language_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    planner = Planner(load_skills(), HomeSnapshot())
    compile_, begun, go_on = Languages._compile, Event(), Event()

    def slow(self: Languages, language: str) -> Understander:
        begun.set()
        assert go_on.wait(WAIT_S)
        return compile_(self, language)

    monkeypatch.setattr(Languages, "_compile", slow)
    asked = asyncio.create_task(understand_in(planner, "pasang pemasa sepuluh minit", ("ms",), WORLD))
    async with asyncio.timeout(WAIT_S):
        assert await asyncio.to_thread(begun.wait, WAIT_S)
        assert not asked.done()
        assert planner.phrase("declined", "ms") != planner.phrase("declined", "en")
        go_on.set()
        language, understanding = await asked
    assert (language, understanding.commands[0].intent) == ("ms", "TimerStart")
    planner.close()


async def test_a_language_that_cannot_be_compiled_is_left_out_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planner = Planner(load_skills(), HomeSnapshot())

    def broken(self: Languages, language: str) -> Understander:
        raise KeyError(language)

    monkeypatch.setattr(Languages, "_compile", broken)
    async with asyncio.timeout(WAIT_S):
        language, understanding = await understand_in(planner, "set a timer for ten minutes", ("ms", "en"), WORLD)
    assert (language, understanding.commands[0].intent) == ("en", "TimerStart")
    assert planner.phrase("declined", "ms") == planner.phrase("declined", "en")
    planner.close()
