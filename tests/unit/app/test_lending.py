"""Whose assistant answers on a device: while it is lent, taken back, and when a partner ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from town import Town, eventually

from entendre.core.errors import StoreError
from entendre.ports.brands import AssistantProfile
from entendre.session.api import DeviceProfile, ListenMode, TurnEnded
from entendre.session.assistant import Assistant
from entendre.session.lending import as_wanted

GLOBEX = AssistantProfile("Globby", ("hey globby", "computer"), "glob", "de")
ACME = AssistantProfile("Acme")


@dataclass
class Spoken:
    """A voice that is listed, and never asked to speak."""

    name: str
    languages: tuple[str, ...]
    rate_hz: int = 16_000

    def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        raise AssertionError("nothing is said here")


@dataclass
class Ears:
    """Wake words that are installed."""

    words: tuple[str, ...]
    name: str = "ears"

    def open(self, words: Sequence[str]) -> Any:
        raise AssertionError("nothing is heard here")


def engines(built: Town, *voices: Spoken, words: tuple[str, ...] = ("hey globby", "ok nabu")) -> Assistant:
    by_language = {language: voice for voice in reversed(voices) for language in voice.languages}
    named = {(voice.name, language): voice for voice in voices for language in voice.languages}
    return replace(
        built.households.own.assistant,
        voices=by_language,
        voice_named=lambda name, language: named.get((name, language)),
        wake_word=Ears(words),
    )


EN, DE = Spoken("usual", ("en",)), Spoken("glob", ("de",))


def test_a_device_takes_what_it_does_not_say_itself(built: Town) -> None:
    own = DeviceProfile("d", language_chosen=False, mode=ListenMode.WAKE)
    wanted = as_wanted(own, GLOBEX, engines(built, EN, DE))
    assert wanted == replace(own, language="de", voice="glob", wake_words=("hey globby",), assistant="Globby")
    own = DeviceProfile("d", "en", voice="mine", mode=ListenMode.WAKE, wake_words=("ok nabu",))
    assert as_wanted(own, GLOBEX, engines(built, EN, DE)) == replace(own, assistant="Globby")
    own = DeviceProfile("d")
    assert as_wanted(own, ACME, engines(built, EN)) == replace(own, assistant="Acme")
    assert as_wanted(own, None, engines(built, EN)) is own


def test_a_voice_or_language_that_is_not_there_is_logged_and_leaves_a_voice(
    built: Town, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    own = DeviceProfile("d", language_chosen=False)
    there = engines(built, EN)
    wanted = as_wanted(own, GLOBEX, there)
    assert wanted.language == "en"
    assert there.voice_for(wanted.language, wanted.voice) is EN
    assert {record.getMessage() for record in caplog.records} == {
        "no voice speaks the assistant's language",
        "the assistant's voice is not installed",
    }


class Book:
    """Whose assistant devices have, as a test says."""

    def __init__(self) -> None:
        self.now: AssistantProfile | None = ACME
        self.broken = False
        self.waits: list[asyncio.Event] = []

    async def of(self, device: str) -> AssistantProfile | None:
        if self.broken:
            raise StoreError("The disk is full.")
        found = self.now
        if self.waits:
            await self.waits.pop(0).wait()
        return found


async def named(conversation: Any, speaker: Any) -> str:
    before = len(speaker.of(TurnEnded))
    conversation.respond("what is your name")
    await speaker.until(TurnEnded, before + 1)
    said: str = speaker.said[-1]
    return said.split(",")[0]


@pytest.mark.parametrize("household", ["a", None])
async def test_a_conversation_goes_on_with_the_assistant_that_is_its_devices_now(
    built: Town, household: str | None
) -> None:
    book = Book()
    built.households.lending.assistant_of = book.of
    await built.deliver("d", household)
    async with built.talking("d") as (conversation, speaker, _):
        if household is not None:
            assert await named(conversation, speaker) == "I'm Acme"
        for number, (whose, name) in enumerate(((GLOBEX, "Globby"), (ACME, "Acme"), (None, None))):
            book.now = whose
            built.households.lending.changed(frozenset(range(number + 1)))
            await eventually(lambda name=name: conversation.profile.assistant == name)
            if household is not None:
                assert await named(conversation, speaker) == f"I'm {name or 'Entendre'}"
        conversation.reconfigure(DeviceProfile("d", "en", proven=True, replies_aloud=False, volume=40))
        book.now = GLOBEX
        built.households.lending.changed(frozenset(range(9)))
        await eventually(lambda: conversation.profile.assistant == "Globby")
        conversation.reconfigure(DeviceProfile("d", "en", proven=True, replies_aloud=False, volume=50))
        assert (conversation.profile.assistant, conversation.profile.volume) == ("Globby", 50)


async def test_what_was_seen_is_not_looked_at_again(built: Town) -> None:
    book = Book()
    built.households.lending.assistant_of = book.of
    await built.deliver("d", "a")
    async with built.talking("d") as (conversation, _, _):
        built.households.lending.changed(frozenset({1, 2}))
        await eventually(lambda: conversation.profile.assistant == "Acme")
        await asyncio.sleep(0)
        book.now = GLOBEX
        built.households.lending.changed(frozenset({2}))
        assert built.households.lending._task is None
        await built.households.look()


async def test_an_older_answer_does_not_undo_a_newer_one(built: Town) -> None:
    book = Book()
    built.households.lending.assistant_of = book.of
    await built.deliver("d", "a")
    held = asyncio.Event()
    book.waits.append(held)
    async with built.talking("d") as (conversation, _, _):
        await eventually(lambda: not book.waits)
        book.now = GLOBEX
        built.households.lending.changed(frozenset({1}))
        await eventually(lambda: conversation.profile.assistant == "Globby")
        held.set()
        conversation.respond("what is your name")
        await eventually(lambda: conversation._inner is not None)
        assert conversation.profile.assistant == "Globby"


async def test_a_device_whose_assistant_is_not_known_keeps_working(built: Town) -> None:
    book = Book()
    book.broken = True
    built.households.lending.assistant_of = book.of
    await built.deliver("d", "a")
    async with built.talking("d") as (conversation, speaker, _):
        assert await named(conversation, speaker) == "I'm Entendre"
