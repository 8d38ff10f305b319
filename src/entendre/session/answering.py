"""Committed turns: from the words to the plan, the actions, the reply and its end."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from entendre.core.actions import ControlMedia
from entendre.core.audio import Samples
from entendre.core.errors import EntendreError, OverloadedError, UnknownMediaError
from entendre.core.plan import Mentioned, Plan, World
from entendre.core.understanding import Understanding
from entendre.ports import Transcript, Voice
from entendre.ports.households import TurnRecord
from entendre.session import api
from entendre.session.arbiter import Wake
from entendre.session.assistant import Assistant
from entendre.session.commit import Committer, Effects
from entendre.session.drafts import Context, DraftRecord
from entendre.session.hearing import Heard, Hearing
from entendre.session.mouth import Mouth
from entendre.session.patience import Patience
from entendre.session.speaking import begun
from entendre.session.tongue import Tongue, understand_in
from entendre.session.trace import Trace
from entendre.session.turns import Turn
from entendre.session.unasked import Unasked
from entendre.turn import events as ev

log = logging.getLogger(__name__)

Emit = Callable[[api.SessionEvent], Awaitable[None]]


@dataclass(slots=True)
class Answering:
    """Answers one conversation's turns, one at a time."""

    assistant: Assistant
    profile: api.DeviceProfile
    emit: Emit
    link: api.DeviceLink
    post: Callable[[ev.TurnEvent], None]
    stream_s: Callable[[], float]
    wake: Callable[[], None]
    """Called when something is to be sounded unasked."""
    unasked: Unasked = field(init=False)
    lost: EntendreError | None = None
    """Why the client can't be told anything any more; the conversation ends of it."""
    _mouth: Mouth = field(init=False)
    _committer: Committer = field(init=False)
    _tongue: Tongue = field(init=False)
    _patience: Patience = field(init=False)
    _task: asyncio.Task[None] | None = None
    _turn: Turn | None = None
    _typed: deque[str | None] = field(default_factory=deque)
    _unanswered: tuple[Turn, Heard, Plan | None] | None = None
    _mentioned: Mentioned = field(default_factory=Mentioned)

    def __post_init__(self) -> None:
        def began() -> None:
            self.post(ev.ReplyBegan())

        self._mouth = Mouth(self.assistant, self.profile, self.link, self.emit, began, self.stream_s)
        self._patience = Patience(self._mouth)
        self.unasked = Unasked(self._mouth, self.wake)
        self._committer = Committer(self.assistant, self.link, self.unasked.media)
        self._tongue = Tongue(self.assistant.clock, self.assistant.limits.memory_s, self.profile.languages)
        self.assistant.planner.prepare(self.profile.languages)

    # -- what the conversation asks for ------------------------------------------------------------------------------

    def context(self, *, thorough: bool = False) -> Context:
        """What the utterance under way is understood in; `thorough` with all the effort there is."""
        hearing = Hearing(self.assistant, self._tongue.expected())
        return Context(self._world(), hearing, self.profile.speed, self._voice_of_draft, thorough)

    def _voice_of_draft(self, language: str) -> Voice | None:
        return self._mouth.voice(language) if self.profile.auto_respond else None

    def ask(self, text: str | None) -> None:
        """Answer typed text, or (None) the last committed turn. Raises: OverloadedError when many wait."""
        if len(self._typed) >= self.assistant.limits.announcements:
            raise OverloadedError("Too many requests wait for an answer.")
        self._typed.append(text)

    def reconfigure(self, profile: api.DeviceProfile) -> None:
        """Use another profile from now on."""
        self.profile = self._mouth.profile = profile
        self._tongue.languages, self._mouth.language = profile.languages, ""
        self.assistant.planner.prepare(profile.languages)

    def control_media(self, action: ControlMedia) -> None:
        """Play, pause or stop media that was asked for elsewhere."""
        self.unasked.control_media(action, self._committer)

    def typed_waits(self) -> bool:
        """Whether a request waits to be answered."""
        return bool(self._typed)

    def next_at(self) -> float | None:
        """When something is to be said unasked, in monotonic seconds."""
        return self.unasked.rings.next_at()

    def played(self, reply: str, seconds: float) -> None:
        """The client reports how much of a reply it played."""
        self._mouth.played(reply, seconds)

    def answer_spoken(
        self,
        turn: str,
        trace: Trace,
        audio: Samples,
        record: DraftRecord | None,
        voiced_s: float,
        wake: Wake | None = None,
    ) -> None:
        """Answer an utterance; `voiced_s`: how long its voice lasted; `wake` is what a wake word opened it with."""
        world = record.world if record is not None else self._world()
        self._turn = Turn(turn, trace, world, record, wake=wake, voiced_s=voiced_s)
        self._begin(self._spoken(self._turn, audio, record))

    def begin_typed(self) -> None:
        """Answer the request that waits first."""
        text = self._typed.popleft()
        if text is None and self._unanswered is not None:
            turn, heard, plan = self._unanswered
            self._unanswered, self._turn = None, turn
            self._begin(self._respond(turn, heard, plan))
        elif text is None:
            self._begin(self._nothing_to_answer())
        else:
            self._turn = Turn(self.assistant.new_id(), Trace(), self._world())
            self._begin(self._typed_turn(self._turn, text))

    def begin_unasked(self, *, awaits_words: bool) -> bool:
        """Sound what is due without having been asked for here; whether anything was begun.

        `awaits_words`: the microphone was opened for somebody, so only rings may sound.
        """
        work = self.unasked.next(awaits_words=awaits_words)
        if work is None:
            return False
        self._begin(work)
        return True

    @property
    def plays_media(self) -> bool:
        """Whether what sounds now is media, which makes way for everything else."""
        return self.unasked.plays_media

    def something_waits(self) -> bool:
        """Whether something waits that media makes way for."""
        return bool(self._typed) or self.unasked.interrupts_media()

    async def stop(self, *, interrupted: bool) -> None:
        """Stop what is being prepared or said; actions that were committed are finished all the same."""
        task, self._task = self._task, None
        turn, self._turn = self._turn, None
        if task is None or task.done():
            return
        self.unasked.stopped(by_hand=not interrupted)
        task.cancel()
        await asyncio.gather(task, self._patience.stop(), return_exceptions=True)
        if turn is not None and turn.record is not None:
            await turn.record.discard()
        if turn is not None and turn.claim is not None and not turn.claim.kept:
            turn.claim.withdraw()
        await self._mouth.end(interrupted=True)
        if turn is not None:
            outcome = api.Outcome.INTERRUPTED if interrupted else api.Outcome.CANCELLED
            await self.emit(api.TurnEnded(turn.id, outcome, dict(turn.trace.spans)))

    async def close(self) -> None:
        """The connection is gone."""
        self.unasked.media.stop()
        await self._patience.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._turn is not None and self._turn.record is not None:
            await self._turn.record.discard()
        if self._turn is not None and self._turn.due is not None:
            self.assistant.keeper.start(self._finish(self._turn, *self._turn.due), "left-turn")

    # -- turns -------------------------------------------------------------------------------------------------------

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.create_task(self._guarded(work, self._turn), name="answer")
        self._task.add_done_callback(
            lambda task: work.close()
        )  # a task that is cancelled at once never begins its work

    async def _guarded(self, work: Coroutine[Any, Any, None], turn: Turn | None) -> None:
        """Task root of a turn: whatever goes wrong ends this turn alone, and is told."""
        try:
            await work
        except EntendreError as error:
            await self._fail(turn, error.code, error.public_message)
        except Exception:
            log.exception("turn failed", extra={"turn": turn.id if turn else ""})
            await self._fail(turn, EntendreError.code, EntendreError().public_message)
        finally:
            await self._patience.stop()
            if turn is not None and turn.prepared is not None:
                await turn.prepared.discard()
        self._turn = None
        if turn is not None:
            self.unasked.media.turn_over()
        rings = bool(self.unasked.rings.current()) and not self.profile.stands_in
        listens = turn.expects_reply if turn is not None else rings
        self.post(ev.ReplyDone(expects_reply=listens))

    async def _fail(self, turn: Turn | None, code: str, message: str) -> None:
        try:
            await self._silence()
            await self.emit(api.TurnFailed(turn.id if turn else "", code, message))
            if turn is not None:
                await self.emit(api.TurnEnded(turn.id, api.Outcome.FAILED, dict(turn.trace.spans)))
        except EntendreError as error:
            self.lost = error

    async def _spoken(self, turn: Turn, audio: Samples, record: DraftRecord | None) -> None:
        if turn.has_words:
            self._await_patiently(turn, turn.trace.spans["speech_end_s"])
        heard, plan = await turn.final(Hearing(self.assistant, self._tongue.expected()), audio)
        turn.trace.mark("draft_s", self.stream_s())
        language = heard.transcript.language or self.profile.language
        if heard.understanding.understood:
            self._tongue.spoken(language)
        if self.profile.auto_respond:
            turn.due = None if heard.empty else (heard, plan)
        else:
            await self._patience.stop()  # whoever asks for the answer once this is told finds the turn over
        await self.emit(api.TurnCommitted(turn.id, "" if heard.empty else heard.transcript.text, language))
        if heard.empty:
            await self._silence()
            await self.emit(api.TurnEnded(turn.id, api.Outcome.NOTHING_HEARD, dict(turn.trace.spans)))
        elif self.profile.auto_respond:
            await self._respond(turn, heard, plan)
        else:
            self._unanswered = (turn, heard, plan)

    def _await_patiently(self, turn: Turn, since_s: float) -> None:
        """Have people told if this takes long, unless others in the home may be the ones who answer."""
        arbiter, device = self.assistant.arbiter, self.profile.device
        if arbiter is not None and turn.wake is not None and not arbiter.woke_alone(device):
            return
        waited_s = self.stream_s() - since_s
        aloud = self.profile.takes_fillers and self.profile.auto_respond
        self._patience.begin(turn.id, turn.trace, self._tongue.expected()[0], waited_s=waited_s, aloud=aloud)

    async def _silence(self) -> None:
        """End what is being said."""
        await self._patience.stop()
        await self._mouth.end(interrupted=True)

    async def _typed_turn(self, turn: Turn, text: str) -> None:
        self._mark(turn, "commit_s")
        self._await_patiently(turn, turn.trace.spans["commit_s"])
        languages = self._tongue.expected()
        language, understanding = await understand_in(self.assistant.planner, text, languages, turn.world)
        heard = Heard(Transcript(text, language), understanding)
        turn.due = heard, None
        await self.emit(api.TurnCommitted(turn.id, text, language))
        await self._respond(turn, heard, None)

    async def _nothing_to_answer(self) -> None:
        await self.emit(api.TurnFailed("", "invalid_input", "There is nothing to answer yet."))

    async def _respond(self, turn: Turn, heard: Heard, plan: Plan | None) -> None:
        self._mouth.language = heard.transcript.language or self.profile.language
        turn.due = heard, plan
        plan = plan or await self._plan(turn, heard.understanding)
        self._mark(turn, "understood_s")
        await self._patience.hush()
        if not self._may_answer(turn, heard, plan):
            turn.due = None
            await self._silence()
            await self.emit(api.TurnEnded(turn.id, api.Outcome.ELSEWHERE, dict(turn.trace.spans)))
            return
        await self.emit(api.TurnUnderstood(turn.id, heard.understanding, plan))
        turn.insist(plan)
        keep, turn.due = self.assistant.keeper.start, None
        arguments = self._names(turn)
        failed = await asyncio.shield(keep(self._committer.durable(plan, **arguments), "durable-actions"))
        effects = keep(self._committer.effects(plan, **arguments), "effects")
        await asyncio.wait({effects}, timeout=self.assistant.limits.side_effect_grace_s)
        self._mark(turn, "acted_s")
        in_time = effects.result() if effects.done() else Effects()
        failed = [*failed, *in_time.failed]
        self._mentioned = self.assistant.planner.mentioned(turn.world, heard.understanding, plan)
        turn.expects_reply = plan.expects_reply and not failed
        turn.outcome = api.Outcome.NOT_UNDERSTOOD if plan.refusal else api.Outcome.ANSWERED
        await self._speak(turn, plan.reply if not failed else self._failure_text(failed))
        late = await asyncio.shield(effects)
        if late.failed and not in_time.failed:
            await self._speak(turn, self._failure_text(late.failed))
        elif not plan.reply and not failed:
            await self._speak(turn, self._told(heard.understanding, turn.world, late))
        if turn.outcome is api.Outcome.ANSWERED:
            await self._tell_missed(turn)
        self._remember(turn, heard, plan)
        await self.emit(api.TurnEnded(turn.id, turn.outcome, dict(turn.trace.spans)))

    async def _finish(self, turn: Turn, heard: Heard, plan: Plan | None) -> None:
        """Task root: do what was heard as the client went; nobody is there to be told."""
        self._mouth.language = heard.transcript.language or self.profile.language
        try:
            plan = plan or await self._plan(turn, heard.understanding)
            if turn.claim is None and not self._may_answer(turn, heard, plan):
                return
            turn.insist(plan)
            await self._committer.apart(plan, **self._names(turn))
        except Exception:
            log.exception("turn failed", extra={"turn": turn.id})
        else:
            self._remember(turn, heard, plan)

    def _names(self, turn: Turn) -> dict[str, str]:
        return {"turn": turn.id, "device": self.profile.device, "language": self._mouth.language}

    def _remember(self, turn: Turn, heard: Heard, plan: Plan) -> None:
        """Have the household's history take the turn, where it is kept."""
        remember = self.assistant.remember
        if remember is not None:
            words = (heard.transcript.text, plan.reply, turn.outcome.value)
            record = TurnRecord(self.profile.device, self.profile.account, self._mouth.language, *words)
            self.assistant.keeper.start(remember(record), "history")

    async def _tell_missed(self, turn: Turn) -> None:
        """After an answer, what rang while nobody could hear it."""
        missed = self.assistant.household.missed()
        if not missed or self._mouth.voice() is None:
            return
        phrase = self._mouth.phrase
        said = (phrase(f"{each.kind}_missed", name=each.name or "", time=each.time) for each in missed)
        await self._speak(turn, " ".join(said))
        await asyncio.shield(self.assistant.keeper.start(self.assistant.household.report_missed(missed), "missed"))

    async def _plan(self, turn: Turn, understanding: Understanding) -> Plan:
        async with asyncio.timeout(self.assistant.limits.planning_s):
            return await self.assistant.planner.plan(understanding, turn.world)

    def _may_answer(self, turn: Turn, heard: Heard, plan: Plan) -> bool:
        """Whether this speaker answers, of all that heard the same words."""
        arbiter, room = self.assistant.arbiter, self.room
        if arbiter is None or turn.wake is None or room is None:
            return True
        turn.claim = arbiter.claim(turn.candidate(turn.wake, self.profile.device, room, heard, plan))
        return turn.claim is not None

    def _told(self, understanding: Understanding, world: World, effects: Effects) -> str:
        told = self.assistant.planner.told
        return " ".join(filter(None, (told(understanding, world, call, answer) for call, answer in effects.answers)))

    def _failure_text(self, failed: Sequence[EntendreError]) -> str:
        name = failed[0].name if isinstance(failed[0], UnknownMediaError) else ""
        return self._mouth.phrase(failed[0].code, name=name)

    def _mark(self, turn: Turn, name: str) -> None:
        turn.trace.mark(name, self.stream_s())

    # -- sound -------------------------------------------------------------------------------------------------------

    async def _speak(self, turn: Turn, text: str) -> None:
        await self._patience.give_way()
        if not text:
            return
        prepared = turn.prepared if turn.prepared is not None and turn.prepared.text == text else None
        self._mark(turn, "synthesis_s")
        sound = self._mouth.sound(text, prepared)
        if turn.claim is not None and not turn.claim.kept:
            sound = await begun(sound)
            if not turn.claim.keep():
                turn.outcome, turn.expects_reply = api.Outcome.ELSEWHERE, False
                return
        await self._mouth.play(sound, turn.id, expects_reply=turn.expects_reply, trace=turn.trace)
        turn.trace.mark("played_s", self.stream_s(), replace=True)

    # -- context -----------------------------------------------------------------------------------------------------

    @property
    def room(self) -> str | None:
        """The id of the room that this speaker stands in, if it is known."""
        room = self.profile.room
        return self.assistant.household.room_named(room) if room is not None else None

    def _world(self) -> World:
        media, playing = self.unasked.media.shown
        speaking = self._mouth.speaking and not self.plays_media
        device = self.profile.view(room=self.room, speaking=speaking, playing=playing, media=media)
        recent_s = self.assistant.clock.wall() - self._mentioned.at_s
        mentioned = self._mentioned if recent_s <= self.assistant.limits.memory_s else Mentioned()
        return self.assistant.household.world(device, mentioned)
