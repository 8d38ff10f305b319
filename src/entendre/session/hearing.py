"""Drafts: recognising and understanding the audio of an utterance, ahead of its end where possible."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from entendre.core.audio import Samples
from entendre.core.errors import EntendreError, RecognitionError
from entendre.core.plan import World
from entendre.core.understanding import Completeness, Understanding
from entendre.ports import Recognizer, Transcript
from entendre.session.assistant import Assistant

log = logging.getLogger(__name__)

NO_SPEECH_MAX = 0.55
"""A recognizer that doubts this much that anybody spoke is believed (measured on Whisper)."""

SURE_HEARD = 0.5
SURE_UNDERSTOOD = 0.7
"""Below either, a complete sentence still waits a little for more, and is heard again thoroughly at its end."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance as heard and understood."""

    transcript: Transcript
    understanding: Understanding

    @property
    def empty(self) -> bool:
        """Nobody said anything."""
        return not self.transcript.text or self.transcript.no_speech > NO_SPEECH_MAX

    @property
    def sure(self) -> bool:
        """Heard and understood well enough to act at once."""
        return self.transcript.confidence >= SURE_HEARD and self.understanding.confidence >= SURE_UNDERSTOOD


@dataclass(slots=True)
class Hearing:
    """Recognises one conversation's utterances with the shared engines."""

    assistant: Assistant
    language: str = "en"
    hints: tuple[str, ...] = field(default=())

    async def draft(self, audio: Samples, world: World) -> Heard:
        """A quick look at what was said so far. Raises: RecognitionError, OverloadedError."""
        engine = self.assistant.draft_recognizer or self.assistant.recognizer
        return self._understand(await self._recognize(engine, audio, thorough=False), world)

    async def final(self, audio: Samples, world: World, draft: Heard | None) -> Heard:
        """The last word on an utterance: the draft if it was understood, else a more thorough look.

        Raises: RecognitionError, OverloadedError.
        """
        if draft is not None and (draft.empty or draft.understanding.understood):
            return draft
        first = draft
        if first is None or self.assistant.draft_recognizer is not None:
            first = self._understand(await self._recognize(self.assistant.recognizer, audio, thorough=False), world)
        if first.empty or first.understanding.understood:
            return first
        try:
            second = self._understand(await self._recognize(self.assistant.recognizer, audio, thorough=True), world)
        except EntendreError as error:
            log.info("second look failed", extra={"code": error.code})
            return first
        return second if second.understanding.understood and not second.empty else first

    async def _recognize(self, engine: Recognizer, audio: Samples, *, thorough: bool) -> Transcript:
        try:
            async with asyncio.timeout(self.assistant.limits.recognition_s):
                return await engine.recognize(audio, language=self.language, hints=self.hints, thorough=thorough)
        except TimeoutError:
            raise RecognitionError("I could not hear that in time.", detail=f"{engine.name} timed out") from None

    def _understand(self, transcript: Transcript, world: World) -> Heard:
        if not transcript.text or transcript.no_speech > NO_SPEECH_MAX:
            return Heard(transcript, Understanding("", self.language, completeness=Completeness.UNKNOWN))
        understanding = self.assistant.planner.understand(
            transcript.text, self.language, world, transcript.alternatives
        )
        return Heard(transcript, understanding)
