"""Conversations in one of several languages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from parts import ScriptedPlanner, Stage, ToneVoice

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.plan import DeviceView, Plan, World
from entendre.core.understanding import Completeness as C
from entendre.core.understanding import Understanding
from entendre.ports import Transcript
from entendre.session import api
from entendre.session.hub import Hub
from entendre.session.text import answer_text

PLANS = {
    "batti jalao": (C.COMPLETE, Plan("Theek hai.")),
    "lights on": (C.COMPLETE, Plan("Okay.")),
    "which": (C.COMPLETE, Plan("Which one?", expects_reply=True)),
}
OF = {"batti jalao": "hi", "lights on": "en", "which": "en"}


@dataclass
class BilingualEars:
    """Hears each language as scripted; `chosen` of those asked for, with a runner-up."""

    texts: dict[str, str]
    chosen: str
    runner_up: str = ""
    name: str = "bilingual"
    languages: frozenset[str] = frozenset({"hi", "en"})
    asked: list[str] = field(default_factory=list)

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> Transcript:
        self.asked.append(language)
        assert len(audio) > HOUSE_RATE_HZ / 10
        several = "," in language
        spoken = self.chosen if several else language
        return Transcript(self.texts[spoken], spoken, runner_up=self.runner_up if several else "")


class Understands(ScriptedPlanner):
    """Each sentence in its language only."""

    def prepare(self, languages: Sequence[str]) -> None:
        """Every language is ready."""

    def understand(self, text: str, language: str, world: World, alternatives: Sequence[str] = ()) -> Understanding:
        known = OF.get(text) == language
        return super().understand(text, language, world, alternatives) if known else Understanding(text, language)


class Voices(dict[str, ToneVoice]):
    """A voice a language."""

    def __init__(self) -> None:
        super().__init__({tag: ToneVoice(tag, frozenset({tag})) for tag in ("hi", "en")})

    def said(self) -> dict[str, list[str]]:
        return {tag: voice.said for tag, voice in self.items() if voice.said}


@asynccontextmanager
async def bilingual(ears: BilingualEars) -> AsyncIterator[tuple[Stage, Voices]]:
    stage, voices = Stage(PLANS), Voices()
    stage.assistant = replace(stage.assistant, recognizer=ears, planner=Understands(PLANS), voices=voices)
    task = asyncio.create_task(stage.open(language="hi,en").run())
    try:
        yield stage, voices
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await stage.assistant.keeper.close()


async def test_the_answer_is_in_the_language_that_was_spoken() -> None:
    ears = BilingualEars({"hi": "batti jalao", "en": "lights on"}, chosen="en")
    async with bilingual(ears) as (stage, voices):
        stage.talk.start_listening()
        await stage.say()
        await stage.turn_over()
        assert stage.link.of(api.TurnCommitted)[-1].language == "en"
        assert voices.said() == {"en": ["Okay."]}
        assert set(ears.asked) == {"hi,en"}


async def test_the_next_turn_is_expected_in_the_language_of_the_last() -> None:
    ears = BilingualEars({"hi": "batti jalao", "en": "which"}, chosen="en")
    async with bilingual(ears) as (stage, voices):
        stage.talk.start_listening()
        await stage.say()
        await stage.turn_over()
        ears.chosen = "hi"
        await stage.say()
        await stage.turn_over(2)
        assert ears.asked[-1] == "en,hi"
        assert voices.said() == {"en": ["Which one?"], "hi": ["Theek hai."]}


async def test_what_makes_no_sense_is_heard_in_the_other_language_if_it_was_as_likely() -> None:
    ears = BilingualEars({"hi": "lait san", "en": "lights on"}, chosen="hi", runner_up="en")
    async with bilingual(ears) as (stage, voices):
        stage.talk.start_listening()
        await stage.say()
        await stage.turn_over()
        assert stage.link.of(api.TurnCommitted)[-1].text == "lights on"
        assert voices.said() == {"en": ["Okay."]}


async def test_words_of_another_language_are_understood_in_it() -> None:
    ears = BilingualEars({"hi": "lights on", "en": "lights on"}, chosen="hi")
    async with bilingual(ears) as (stage, voices):
        stage.talk.start_listening()
        await stage.say()
        await stage.turn_over()
        assert stage.link.of(api.TurnCommitted)[-1].language == "en"
        assert set(ears.asked) == {"hi,en"}
        assert voices.said() == {"en": ["Okay."]}


async def test_what_is_not_understood_is_answered_in_the_language_that_was_heard() -> None:
    ears = BilingualEars({"hi": "kuch bhi", "en": "anything"}, chosen="en")
    async with bilingual(ears) as (stage, voices):
        stage.talk.start_listening()
        await stage.say()
        ended = await stage.turn_over()
        assert ended.outcome is api.Outcome.NOT_UNDERSTOOD
        assert voices.said() == {"en": ["I did not get that."]}


async def test_typed_text_is_answered_in_the_language_in_which_it_makes_sense() -> None:
    ears = BilingualEars({}, chosen="en")
    async with bilingual(ears) as (stage, voices):
        stage.talk.respond("lights on")
        await stage.turn_over()
        stage.talk.respond("batti jalao")
        await stage.turn_over(2)
        assert voices.said() == {"en": ["Okay."], "hi": ["Theek hai."]}


async def test_a_sentence_without_a_conversation_too() -> None:
    stage = Stage(PLANS)
    assistant = replace(stage.assistant, planner=Understands(PLANS))
    answer = await answer_text(assistant, "lights on", device=DeviceView(id="d"), language="hi,en", act=False)
    assert answer.understanding.language == "en"
    assert answer.plan.reply == "Okay."


async def test_a_household_speaks_its_languages_where_nobody_chose_one() -> None:
    stage, hub = Stage(PLANS), Hub()
    hub.attach(stage.assistant)
    hub.languages = "hi,en"
    its = hub.open(api.DeviceProfile("d1", "de", language_chosen=False), stage.link)
    own = hub.open(api.DeviceProfile("d2", "ta"), stage.link)
    assert (its.profile.language, its.profile.languages) == ("hi", ("hi", "en"))
    assert own.profile.languages == ("ta",)
    hub.languages = ""
    assert hub.open(api.DeviceProfile("d3", "de", language_chosen=False), stage.link).profile.language == "de"
