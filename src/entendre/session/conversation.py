"""One connection's session: the inbox, the turn machine, and what the machine asks for."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from entendre.core.actions import ControlMedia
from entendre.core.audio import Samples
from entendre.core.errors import InvalidInputError, OverloadedError
from entendre.core.understanding import Completeness
from entendre.ports import INFERENCE_OWNER
from entendre.session.announcing import Announcement
from entendre.session.answering import Answering
from entendre.session.api import (
    DeviceLink,
    DeviceProfile,
    ListeningEnded,
    ListenMode,
    Outcome,
    PartialHeard,
    SessionEvent,
    SpeechStarted,
    SpeechStopped,
    TurnEnded,
    WakeHeard,
)
from entendre.session.arbiter import Wake
from entendre.session.assistant import Assistant
from entendre.session.drafts import Drafts
from entendre.session.inbox import AtPosition, Inbox
from entendre.session.listening import Listening, Woken
from entendre.session.policy import affords_thorough, policy_for
from entendre.session.trace import Trace
from entendre.turn import actions as do
from entendre.turn import events as ev
from entendre.turn.machine import step
from entendre.turn.state import Phase, deadline, initial_state

log = logging.getLogger(__name__)

BURST_S = 0.5
"""With more audio than this waiting, the stream is a recording: it waits for its drafts instead of outrunning them."""

NOTICES_LIMIT = 64
MIN_TICK_S = 0.05


@dataclass(slots=True)
class OpenTurn:
    """An utterance under way."""

    number: int
    id: str
    trace: Trace
    partial: str = ""
    meaning: Completeness | None = None


class LiveConversation:
    """Implements `session.api.Conversation` over the shared engines."""

    def __init__(self, assistant: Assistant, profile: DeviceProfile, link: DeviceLink) -> None:
        self._assistant = assistant
        self._link = link
        self.profile = profile
        self._state = initial_state(policy_for(profile, assistant.limits, assistant.busy()))
        self._inbox = Inbox(assistant.limits.uplink_backlog_s)
        self._inside: deque[ev.TurnEvent] = deque()
        self._notices: deque[SessionEvent] = deque(maxlen=NOTICES_LIMIT)
        self._began_at = assistant.clock.monotonic()
        self._awake = asyncio.Event()
        self._closing = False
        self._listening = Listening(assistant, profile)
        self._turn: OpenTurn | None = None
        self._woken: Woken | None = None
        self._drafts = Drafts(assistant, self._post_inside)
        self._answering = Answering(
            assistant, profile, self._emit, link, self._post_inside, self._stream_s, self._awake.set
        )

    # -- the gateway's side ------------------------------------------------------------------------------------------

    def hear(self, pcm16: bytes) -> None:
        """Uplink audio: little-endian mono PCM16 at 16 kHz. Raises: OverloadedError when too much waits."""
        self._inbox.hear(pcm16)
        self._awake.set()

    def start_listening(self, mode: ListenMode | None = None, *, interrupts: bool = True, woken: bool = False) -> None:
        """The client opened its microphone."""

        def requested(at_s: float) -> ev.TurnEvent:
            self._wakes_now(woken)
            return ev.ListeningRequested(at_s, mode, interrupts)

        self._post(requested)

    def stop_listening(self) -> None:
        """Push to talk was released, or the client commits its audio."""
        self._post(ev.ListeningStopped)

    def clear_audio(self) -> None:
        """Forget uplink audio that was not committed."""
        self._post(ev.AudioCleared)

    def respond(self, text: str | None = None) -> None:
        """Answer typed text, or the last committed turn. Raises: InvalidInputError for an overlong text."""
        if text is not None and len(text) > self._assistant.limits.typed_chars:
            raise InvalidInputError(f"A text may have at most {self._assistant.limits.typed_chars} characters.")
        self._answering.ask(text)
        self._awake.set()

    def announce(self, announcement: str | Announcement) -> None:
        """Say something that is no reply, when nobody speaks. Raises: OverloadedError when many wait."""
        self._answering.unasked.announce(Announcement(announcement) if isinstance(announcement, str) else announcement)

    def unsaid(self) -> list[Announcement]:
        """The announcements that wait, which others are to say now."""
        return self._answering.unasked.unsaid()

    def control_media(self, action: ControlMedia) -> None:
        """Play, pause or stop media that was asked for elsewhere."""
        self._answering.control_media(action)

    def ring(self, ring: str, kind: str, name: str | None, text: str, language: str = "") -> None:
        """Ring until `stop_ring`; `language`: of the text."""
        self._answering.unasked.rings.start(ring, kind, name, text, language)
        self._awake.set()

    def notify(self, event: SessionEvent) -> None:
        """Send an event that belongs to no turn, such as `TimerChanged`."""
        self._notices.append(event)
        self._awake.set()

    def stop_ring(self, ring: str) -> None:
        """It was silenced, here or elsewhere."""
        self._answering.unasked.rings.stop(ring)
        self._awake.set()

    @property
    def room(self) -> str | None:
        """The id of the room that this speaker stands in, if it is known."""
        return self._answering.room

    @property
    def rings(self) -> frozenset[str]:
        """Ids of what rings here."""
        return self._answering.unasked.rings.current()

    def cancel_reply(self) -> None:
        """Stop the reply being planned or spoken."""
        if self._state.phase is Phase.BUSY:  # audio that waits for the end of this reply must not hold this up
            self._post_inside(ev.TurnCancelled())
        else:
            self._post(lambda at_s: ev.TurnCancelled())

    def played(self, reply: str, seconds: float) -> None:
        """The client reports how much of a reply it played."""
        self._answering.played(reply, seconds)

    def reconfigure(self, profile: DeviceProfile) -> None:
        """Use another profile from the next turn on."""
        self._inbox.put(profile)
        self._awake.set()

    def close(self) -> None:
        """End `run` after what is under way."""
        self._closing = True
        self._awake.set()

    # -- the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until closed. A client that does not take its events ends it with OverloadedError."""
        INFERENCE_OWNER.set(self._assistant.new_id())
        try:
            await self._start()
            while not (self._closing and self._settled()):
                await self._work()
                await self._rest()
        finally:
            await self._drafts.close()
            await self._answering.close()

    async def _start(self) -> None:
        if self.profile.mode is ListenMode.CONTINUOUS:
            await self._step(ev.ListeningRequested(0.0))

    def _settled(self) -> bool:
        return not self._inbox and not self._inside and self._state.phase is not Phase.BUSY

    async def _work(self) -> None:
        """Handle all that waits: own events first, then the client's in their order."""
        self._awake.clear()
        while True:
            if self._answering.lost is not None:
                raise self._answering.lost
            if self._notices:
                await self._emit(self._notices.popleft())
            elif self._inside:
                await self._step(self._inside.popleft())
            elif self._inbox and not self._must_wait():
                await self._take(self._inbox.take())
                await asyncio.sleep(0)
            elif not await self._speak_up():
                return

    def _must_wait(self) -> bool:
        """Whether the audio that is next has to wait for a draft, or (push to talk) for the turn before it."""
        draft = self._state.draft
        if not self._inbox.audio_is_next:
            return False
        if self._state.mode is ListenMode.MANUAL:
            return self._state.phase is Phase.BUSY and not self._answering.plays_media
        working = self._state.phase is Phase.HEARING and draft is not None and draft.understood is None
        return working and self._inbox.audio_s > BURST_S

    async def _rest(self) -> None:
        """Wait for the next thing, or for a deadline."""
        now = self._assistant.clock.monotonic()
        due = [at for at in (deadline(self._state), self._answering.next_at()) if at is not None]
        if self._inside or self._awake.is_set() or (self._closing and self._settled()):
            return
        try:
            async with asyncio.timeout(max(MIN_TICK_S, min(due) - now) if due else None):
                await self._awake.wait()
        except TimeoutError:
            await self._step(ev.TimePassed())

    async def _take(self, item: bytes | DeviceProfile | AtPosition) -> None:
        if isinstance(item, bytes):
            await self._hear(item)
        elif isinstance(item, DeviceProfile):
            self.profile = item
            self._answering.reconfigure(item)
            await self._step(ev.PolicyChanged(policy_for(item, self._assistant.limits, self._assistant.busy())))
        else:
            await self._step(item(self._listening.end_s))

    async def _hear(self, pcm16: bytes) -> None:
        if self._state.mode is ListenMode.MANUAL:
            await self._make_way()
        if self._state.phase is Phase.IDLE and self._state.mode is ListenMode.MANUAL:
            await self._step(ev.ListeningRequested(self._listening.end_s))
        from_s = self._listening.append(pcm16)
        for detection in self._listening.wake_words(pcm16):
            if self._state.phase is not Phase.HEARING:
                await self._emit(WakeHeard(detection.word, detection.end_s))
                self._wakes_now(True)
                await self._step(ev.WakeWordHeard(detection.end_s))
        for frame in self._listening.frames(pcm16, from_s, self._state):
            await self._step(frame)
        self._listening.forget(self._state)

    def _wakes_now(self, woken: bool) -> None:
        """Note whether a wake word opens the microphone now; what it opens ends with the reply."""
        sounding = self._state.phase is Phase.BUSY or bool(self.rings)
        self._woken = Woken(self._assistant.clock.monotonic(), sounding) if woken else None
        if woken and self._assistant.arbiter is not None:
            self._assistant.arbiter.woke(self.profile.device)

    def _post(self, event: AtPosition) -> None:
        self._inbox.put(event)
        self._awake.set()

    def _post_inside(self, event: ev.TurnEvent) -> None:
        self._inside.append(event)
        self._awake.set()

    def _stream_s(self) -> float:
        """Now, on the uplink's clock, which goes on from the start of the conversation while no audio comes."""
        return self._state.position_s + self._assistant.clock.monotonic() - (self._state.frame_now or self._began_at)

    async def _emit(self, event: SessionEvent) -> None:
        """Send an event to the client. Raises: OverloadedError if it is not taken in time."""
        try:
            async with asyncio.timeout(self._assistant.limits.delivery_s):
                await self._link.deliver(event)
        except TimeoutError:
            raise OverloadedError("The client does not take its events.", detail="delivery timed out") from None

    # -- what the machine asks for -------------------------------------------------------------------------------------

    async def _step(self, event: ev.TurnEvent) -> None:
        if isinstance(event, ev.DraftUnderstood):
            await self._show_partial(event)
        if isinstance(event, ev.ReplyDone):
            self._woken = None
        if isinstance(event, ev.ListeningRequested):
            await self._make_way()
        self._state, actions = step(self._state, event, self._assistant.clock.monotonic())
        for action in actions:
            await self._do(action)

    async def _do(self, action: do.TurnAction) -> None:
        match action:
            case do.StartTurn():
                await self._start_turn(action)
            case do.RecognizeDraft():
                self._request_draft(action)
            case do.DiscardDraft():
                self._drafts.discard(action.draft)
            case do.CommitTurn():
                await self._commit(action)
            case do.DropTurn():
                await self._drop(action)
            case do.StopReply():
                await self._answering.stop(interrupted=action.reason != "cancelled")
            case do.EndListening():
                if action.reason == "no_speech":
                    self._answering.unasked.media.turn_over()
                await self._emit(ListeningEnded(action.reason))

    async def _start_turn(self, action: do.StartTurn) -> None:
        policy = policy_for(self.profile, self._assistant.limits, self._assistant.busy())
        if policy != self._state.policy:
            await self._step(ev.PolicyChanged(policy))
        self._turn = OpenTurn(action.turn, self._assistant.new_id(), Trace())
        self._turn.trace.mark("speech_start_s", action.speech_start_s)
        await self._emit(SpeechStarted(self._turn.id, action.speech_start_s))

    def _request_draft(self, action: do.RecognizeDraft) -> None:
        assert self._turn is not None
        self._turn.trace.mark("draft_asked_s", self._stream_s(), replace=True)
        audio = self._listening.cut(action.from_s, action.to_s)
        unknown = self._turn.meaning is Completeness.UNKNOWN
        effort = action.again and unknown and affords_thorough(self._assistant.busy())
        context = self._answering.context(thorough=effort)
        self._drafts.start(action.draft, audio, context, self._turn.trace, self._stream_s)

    async def _show_partial(self, event: ev.DraftUnderstood) -> None:
        turn, draft = self._turn, self._state.draft
        if turn is None or draft is None or draft.number != event.draft:
            return
        turn.meaning = event.completeness
        if event.empty or event.text == turn.partial:
            return
        turn.partial = event.text
        await self._emit(PartialHeard(turn.id, event.text))

    async def _commit(self, action: do.CommitTurn) -> None:
        assert self._turn is not None
        turn, self._turn = self._turn, None
        turn.trace.mark("speech_end_s", action.speech_end_s)
        turn.trace.mark("commit_s", self._stream_s())
        record = self._drafts.take(action.draft)
        audio = self._listening.cut(action.from_s, action.to_s)
        await self._emit(SpeechStopped(turn.id, action.speech_end_s))
        wake = self._wake_of(action, audio)
        self._answering.answer_spoken(turn.id, turn.trace, audio, record, action.voiced_s, wake)

    def _wake_of(self, action: do.CommitTurn, audio: Samples) -> Wake | None:
        """What woke this speaker for an utterance, if a wake word did and other speakers may have heard it."""
        apart = self._assistant.arbiter is None or self.room is None
        if self._woken is None or apart or self._state.mode is ListenMode.MANUAL:
            return None
        began_at = self._assistant.clock.monotonic() - (self._stream_s() - action.from_s)
        return self._woken.wake(began_at, audio)

    async def _drop(self, action: do.DropTurn) -> None:
        assert self._turn is not None
        turn, self._turn = self._turn, None
        self._drafts.discard_all()
        await self._emit(SpeechStopped(turn.id, self._state.position_s))
        outcome = Outcome.CANCELLED if action.reason == "cancelled" else Outcome.NOTHING_HEARD
        await self._emit(TurnEnded(turn.id, outcome, dict(turn.trace.spans)))

    async def _speak_up(self) -> bool:
        """Begin a typed turn, a ring or an announcement if one waits and nobody speaks; whether one began."""
        if self._answering.plays_media and self._answering.something_waits():
            await self._make_way()
        busy = self._state.phase is Phase.BUSY
        if self._answering.typed_waits():
            if busy or self._state.phase is Phase.HEARING:
                await self._step(ev.TurnCancelled())
            await self._step(ev.ReplyBegan())
            self._answering.begin_typed()
            return True
        if busy or self._state.phase is Phase.HEARING or self._state.activity.candidate_from_s is not None:
            return False
        awaits_words = self._state.phase is Phase.LISTENING and self._state.mode is not ListenMode.CONTINUOUS
        if not self._answering.begin_unasked(awaits_words=awaits_words):
            return False
        await self._step(ev.ReplyBegan())
        return True

    async def _make_way(self) -> None:
        """Interrupt media for whatever comes now."""
        if self._answering.plays_media and self._state.phase is Phase.BUSY:
            woken = self._woken
            await self._answering.stop(interrupted=True)
            await self._step(ev.ReplyDone())
            self._woken = woken
