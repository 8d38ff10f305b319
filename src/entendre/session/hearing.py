"""Drafts: recognising and understanding the audio of an utterance, ahead of its end where possible."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from entendre.core.audio import Samples
from entendre.core.errors import EntendreError, RecognitionError
from entendre.core.plan import World
from entendre.core.tags import joined_tags
from entendre.core.understanding import Completeness, Understanding
from entendre.ports import Recognizer, Transcript
from entendre.session.assistant import Assistant
from entendre.session.policy import affords_thorough
from entendre.session.tongue import understand_in

log = logging.getLogger(__name__)

SURE_HEARD = 0.35
SURE_UNDERSTOOD = 0.7
"""Below either, a complete sentence still waits a little for more."""

MAX_READINGS = 4
"""Readings of an utterance that are spelled by their sound."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance as heard and understood. `thorough`: with all the effort that the recognizer can make."""

    transcript: Transcript
    understanding: Understanding
    thorough: bool = False

    @property
    def empty(self) -> bool:
        """Nobody said anything: recognizers answer noise with no text."""
        return not self.transcript.text

    @property
    def sure(self) -> bool:
        """Heard and understood well enough to act at once."""
        return self.transcript.confidence >= SURE_HEARD and self.understanding.confidence >= SURE_UNDERSTOOD


@dataclass(slots=True)
class Hearing:
    """Recognises one conversation's utterances with the shared engines.

    `languages`: those that may be spoken, the likeliest first.
    """

    assistant: Assistant
    languages: tuple[str, ...] = ("en",)

    async def draft(self, audio: Samples, world: World, *, thorough: bool = False) -> Heard:
        """A look at what was said so far, quick unless `thorough`. Raises: RecognitionError, OverloadedError."""
        engine = self.assistant.draft_recognizer or self.assistant.recognizer
        return await self._hear(engine, audio, world, thorough=thorough)

    async def final(self, audio: Samples, world: World, draft: Heard | None) -> Heard:
        """The last word on an utterance: the draft if it was understood, else a more thorough look if cores are free.

        Raises: RecognitionError, OverloadedError.
        """
        if draft is not None and (draft.empty or draft.understanding.understood):
            return draft
        looks = await self._last_looks(audio, world, draft)
        for heard in reversed(looks):
            meant = await self._by_sound(heard, world)
            if meant.empty or meant.understanding.understood:
                return meant
        return looks[0]

    async def _last_looks(self, audio: Samples, world: World, draft: Heard | None) -> list[Heard]:
        """What was heard first, and once more if that makes no sense; what is understood comes last."""
        engine = self.assistant.recognizer
        first = draft or await self._hear(engine, audio, world, thorough=False)
        if first.empty or first.understanding.understood or first.thorough:
            return [first]
        if not affords_thorough(self.assistant.busy()):
            return [first]
        try:
            second = await self._hear(engine, audio, world, thorough=True)
        except EntendreError as error:
            log.info("second look failed", extra={"code": error.code})
            return [first]
        return [first] if second.empty else [first, second]

    async def _by_sound(self, heard: Heard, world: World) -> Heard:
        """The same, or the command that it is if words were heard for others that sound the same."""
        if heard.empty or heard.understanding.understood:
            return heard
        transcript = heard.transcript
        respelling = self.assistant.planner.respelling(transcript.language)
        if respelling is None:
            return heard
        for text in (transcript.text, *transcript.alternatives)[:MAX_READINGS]:
            meant = await asyncio.to_thread(respelling, text, world)
            if meant is not None:
                return replace(heard, transcript=replace(transcript, text=meant.text), understanding=meant)
        return heard

    async def _hear(self, engine: Recognizer, audio: Samples, world: World, *, thorough: bool) -> Heard:
        """What was said in the likeliest language; where that makes no sense, in one that is about as likely."""
        transcript = await self._recognize(engine, audio, joined_tags(self.languages), thorough=thorough)
        heard = await self._understood(transcript, world, thorough)
        if heard.empty or heard.understanding.understood or transcript.runner_up not in self.languages:
            return heard
        other = await self._recognize(engine, audio, transcript.runner_up, thorough=thorough)
        second = await self._understood(other, world, thorough)
        return second if second.understanding.understood else heard

    async def _understood(self, transcript: Transcript, world: World, thorough: bool) -> Heard:
        language = transcript.language if transcript.language in self.languages else self.languages[0]
        if not transcript.text:
            nothing = Understanding("", language, completeness=Completeness.UNKNOWN)
            return Heard(transcript, nothing, thorough)
        order = tuple(dict.fromkeys((language, *self.languages)))
        planner, text = self.assistant.planner, transcript.text
        language, understanding = await understand_in(planner, text, order, world, transcript.alternatives)
        return Heard(replace(transcript, text=understanding.text, language=language), understanding, thorough)

    async def _recognize(self, engine: Recognizer, audio: Samples, language: str, *, thorough: bool) -> Transcript:
        try:
            async with asyncio.timeout(self.assistant.limits.recognition_s):
                return await engine.recognize(audio, language=language, thorough=thorough)
        except TimeoutError:
            raise RecognitionError("I could not hear that in time.", detail=f"{engine.name} timed out") from None
