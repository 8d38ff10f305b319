"""The drafts of one conversation: each a task that recognises, understands, plans and prepares the reply's sound."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from entendre.core.audio import Samples
from entendre.core.errors import EntendreError
from entendre.core.plan import Plan, World
from entendre.core.understanding import Completeness
from entendre.ports import Voice
from entendre.session.assistant import Assistant
from entendre.session.hearing import Heard, Hearing
from entendre.session.speaking import Prepared
from entendre.session.trace import Trace
from entendre.turn import events as ev

log = logging.getLogger(__name__)

_WORTH_PLANNING = (Completeness.COMPLETE, Completeness.EXTENDABLE)


@dataclass(frozen=True, slots=True)
class Context:
    """What a draft is understood in. `voice`: what a reply in a language is said with, None if none is prepared."""

    world: World
    hearing: Hearing
    speed: float
    voice: Callable[[str], Voice | None]
    thorough: bool = False


@dataclass(slots=True)
class DraftRecord:
    """A draft and everything made ahead of its commit."""

    number: int
    world: World
    task: asyncio.Task[None] | None = None
    heard: Heard | None = None
    plan: Plan | None = None
    prepared: Prepared | None = None

    async def discard(self) -> None:
        """Nobody wants it any more: free the cores."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        if self.prepared is not None:
            await self.prepared.discard()


class Drafts:
    """Starts, discards and hands over drafts. At most one is worked on; a discarded one frees its core."""

    def __init__(self, assistant: Assistant, post: Callable[[ev.TurnEvent], None]) -> None:
        self._assistant = assistant
        self._post = post
        self._records: dict[int, DraftRecord] = {}
        self._dying: set[asyncio.Task[None]] = set()

    def start(self, number: int, audio: Samples, context: Context, trace: Trace, stream_s: Callable[[], float]) -> None:
        """Work on a draft; its result is posted as `DraftUnderstood` or `DraftFailed`."""
        self.discard_all()
        record = self._records[number] = DraftRecord(number, context.world)
        record.task = asyncio.create_task(self._work(record, audio, context, trace, stream_s), name="draft")

    def discard(self, number: int) -> None:
        """Stop working on a draft."""
        record = self._records.pop(number, None)
        if record is not None:
            task = asyncio.create_task(record.discard(), name="discard-draft")
            self._dying.add(task)
            task.add_done_callback(self._dying.discard)

    def discard_all(self) -> None:
        """Stop working on every draft."""
        for number in list(self._records):
            self.discard(number)

    def take(self, number: int | None) -> DraftRecord | None:
        """Hand a draft over to its committed turn; the others are discarded."""
        record = self._records.pop(number, None) if number is not None else None
        self.discard_all()
        return record

    async def close(self) -> None:
        """Stop everything and wait for it."""
        self.discard_all()
        while self._dying:
            await asyncio.gather(*self._dying, return_exceptions=True)

    async def _work(
        self, record: DraftRecord, audio: Samples, context: Context, trace: Trace, stream_s: Callable[[], float]
    ) -> None:
        """Task root: a draft that fails is only a draft."""
        try:
            heard = await context.hearing.draft(audio, context.world, thorough=context.thorough)
            trace.mark("draft_s", stream_s(), replace=True)
            record.heard = heard
            meaning, text = heard.understanding, heard.transcript.text
            self._post(ev.DraftUnderstood(record.number, meaning.completeness, text, heard.empty, heard.sure))
            if meaning.understood and not heard.empty and meaning.completeness in _WORTH_PLANNING:
                record.plan = await self._assistant.planner.plan(meaning, context.world)
                trace.mark("understood_s", stream_s(), replace=True)
                self._prepare(record, context, heard.transcript.language)
        except EntendreError as error:
            log.info("draft failed", extra={"code": error.code})
            self._post(ev.DraftFailed(record.number))
        except Exception:
            log.exception("draft failed")
            self._post(ev.DraftFailed(record.number))

    def _prepare(self, record: DraftRecord, context: Context, language: str) -> None:
        voice = context.voice(language)
        if record.plan is not None and record.plan.reply and voice is not None:
            record.prepared = Prepared(record.plan.reply, voice, language, context.speed)
