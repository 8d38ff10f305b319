"""Session events as events of the Realtime protocol: items, the response under way, transcripts. Knows no socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from entendre.gateways.realtime.extensions import extension_of
from entendre.gateways.realtime.items import Items
from entendre.gateways.realtime.responses import OpenResponse
from entendre.gateways.realtime.tools import FunctionCall
from entendre.session.api import (
    Outcome,
    PartialHeard,
    ReplyAudio,
    ReplyEnded,
    ReplyStarted,
    SessionEvent,
    SpeechStarted,
    SpeechStopped,
    TurnCommitted,
    TurnEnded,
    TurnFailed,
    TurnUnderstood,
)
from entendre.wire.realtime import RealtimeCodec
from entendre.wire.realtime_items import Item, Part
from entendre.wire.realtime_server import (
    BufferCommitted,
    Failed,
    ItemAdded,
    ItemFinished,
    ServerEvent,
    SpeechBegan,
    SpeechEnded,
    Transcribed,
    TranscriptionFailed,
    WordsHeard,
)

Events = list[ServerEvent]

MAX_TURNS = 32
"""Turns remembered at once; a turn is over long before 32 others have begun."""


@dataclass(slots=True)
class Turn:
    """What the protocol has to remember of one turn."""

    item: str | None = None
    seconds: float = 0.0
    started_s: float = 0.0
    words: str = ""
    said: bool = False
    committed: bool = False
    responded: bool = False
    typed: bool = False
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """An utterance that the client committed or typed, whose turn has not been heard of yet."""

    item: str | None
    seconds: float = 0.0
    typed: bool = False


class Dialogue:
    """One connection's conversation as its client sees it."""

    def __init__(self, codec: RealtimeCodec) -> None:
        self.codec = codec
        self.items = Items()
        self.active: OpenResponse | None = None
        self.asks_when_committed = False
        self._turns: dict[str, Turn] = {}
        self._waiting: deque[Waiting] = deque()
        self._unheard: set[str] = set()
        self._buffer_item: str | None = None
        self._answerable = False
        self._tool_turn: str | None = None
        self._turn_under_way: str | None = None
        self._announcing: str | None = None

    # What the client does

    def commit(self, seconds: float) -> Events:
        """The client ended its utterance of this length."""
        item, self._buffer_item = self._buffer_item or self.codec.new_id("item"), None
        self._waiting.append(Waiting(item, seconds))
        return self._committed(item)

    def type(self, item: Item | None) -> None:
        """The client's typed text becomes the next turn."""
        self._waiting.append(Waiting(item.id if item else None, typed=True))

    def speak(self, item: Item, seconds: float) -> None:
        """An item's own audio becomes the next turn."""
        self._waiting.append(Waiting(item.id, seconds))

    @property
    def transcript_pending(self) -> bool:
        """Whether something committed has not become a turn yet."""
        return bool(self._waiting or self._unheard)

    @property
    def deaf(self) -> bool:
        """Whether a turn that the server found itself is being answered, so that there is no audio to commit."""
        if self.codec.config.turn_detection is None:
            return False
        answering = self._answers_alone() and any(turn.committed for turn in self._turns.values())
        return self.active is not None or bool(self._unheard) or answering

    @property
    def answerable(self) -> bool:
        """Whether the last committed turn waits for an answer."""
        return self._answerable

    @property
    def follows_tool(self) -> bool:
        """Whether a response asked for now only follows up a tool's output: the plan has said what there is to say."""
        return self._tool_turn is not None

    def follow_tool(self) -> bool:
        """Use up a follow-up. True if its turn is still under way, so that a reply may come."""
        turn, self._tool_turn = self._tool_turn, None
        return turn is not None and turn == self._turn_under_way

    def begin(self, *, speaks: bool | None = None, metadata: Iterable[tuple[str, str]] = ()) -> Events:
        """Open a response, for a client that asked for one."""
        self._answerable = False
        self.active = OpenResponse(self.codec, self.items, speaks=speaks, metadata=tuple(metadata))
        return self.active.opened()

    @property
    def unasked(self) -> bool:
        """Whether what is being said is a ring or an announcement, which gives way to a request."""
        return self.active is not None and self._announcing is not None and self._announcing == self.active.reply

    def cancel(self) -> Events:
        """Close the response under way: the client does not want it."""
        return self._close("cancelled", reason="client_cancelled")

    def settle(self, code: str = "", message: str = "") -> Events:
        """Close the response under way, empty, or failed with a code."""
        return self._close("failed" if code else "completed", code=code or None, message=message or None)

    def call(self, call: FunctionCall, call_id: str) -> Events:
        """A function call is a response of its own, complete at once, so that no client waits for a reply to act."""
        self._tool_turn = self._turn_under_way
        return OpenResponse(self.codec, self.items).called(call, call_id)

    # What the session does

    def on(self, event: SessionEvent) -> Events:
        """The protocol's events for one event of the session, in order."""
        events: Events
        ended = self._item_of(event) if isinstance(event, TurnEnded) else None  # afterwards the turn is forgotten
        match event:
            case SpeechStarted():
                events = self._speech_started(event)
            case SpeechStopped():
                events = self._speech_stopped(event)
            case PartialHeard():
                events = self._partial(event)
            case TurnCommitted():
                events = self._turn_committed(event)
            case TurnUnderstood():
                self._turn(event.turn)
                events = []
            case ReplyStarted():
                events = self._reply_started(event)
            case ReplyAudio():
                return self.active.audio(event.pcm) if self.active and self.active.reply == event.reply else []
            case ReplyEnded():
                events = self._reply_ended(event)
            case TurnFailed():
                events = self._failed(event)
            case TurnEnded():
                events = self._turn_ended(event)
            case _:
                events = []
        if (shown := extension_of(event, self.codec.config.include, ended or self._item_of(event))) is not None:
            events.append(shown)
        return events

    def _item_of(self, event: Any) -> str | None:
        turn = self._turns.get(getattr(event, "turn", ""))
        return turn.item if turn else None

    def _turn(self, turn: str) -> Turn:
        self._turn_under_way = turn
        if turn not in self._turns:
            while len(self._turns) >= MAX_TURNS:
                self._turns.pop(next(iter(self._turns)))
            self._turns[turn] = Turn()
        return self._turns[turn]

    def _speech_started(self, event: SpeechStarted) -> Events:
        turn = self._turn(event.turn)
        turn.started_s = event.at_s
        turn.item = self._buffer_item = self.codec.new_id("item")
        if self.codec.config.turn_detection is None:
            return []
        return [SpeechBegan(round(event.at_s * 1000), turn.item)]

    def _speech_stopped(self, event: SpeechStopped) -> Events:
        turn = self._turn(event.turn)
        turn.seconds = max(0.0, event.at_s - turn.started_s)
        if self.codec.config.turn_detection is None or turn.item is None or turn.committed:
            return []
        turn.committed = True
        if not self._answers_alone():
            self._unheard.add(event.turn)
        ended = SpeechEnded(round(event.at_s * 1000), turn.item)
        if turn.item in self.items:  # the client committed it first
            return [ended]
        self._buffer_item = None
        return [ended, *self._committed(turn.item)]

    def _committed(self, item: str) -> Events:
        previous = self.items.last
        written = Item(item, parts=(Part("input_audio"),))
        self.items.add(written)
        added = ItemAdded(previous, written), ItemFinished(previous, written)
        return [BufferCommitted(item, previous), *added]

    def _partial(self, event: PartialHeard) -> Events:
        turn = self._turn(event.turn)
        grown = event.text.removeprefix(turn.words)
        if (
            turn.item is None
            or not self.codec.config.transcription
            or not event.text.startswith(turn.words)
            or not grown
        ):
            return []  # Deltas only append: words that changed are left to the final transcript.
        turn.words = event.text
        return [WordsHeard(turn.item, 0, grown)]

    def _turn_committed(self, event: TurnCommitted) -> Events:
        turn = self._turn(event.turn)
        turn.heard = True
        self._unheard.discard(event.turn)
        self._claim(turn)
        if not self.active:
            self._answerable = not self._answers_alone()
        if turn.item is None or turn.typed:
            return []
        events: Events = []
        if not turn.committed and turn.item not in self.items:
            events += self._committed(turn.item)
        turn.committed = True
        self.items.transcribe(turn.item, event.text)
        if self.codec.config.transcription:
            events.append(Transcribed(turn.item, 0, event.text, turn.seconds))
        return events

    def _claim(self, turn: Turn) -> None:
        """Give a turn the item that the client committed or typed for it."""
        if not self._waiting or turn.committed:
            return
        waiting = self._waiting.popleft()
        turn.item = waiting.item or turn.item
        turn.typed = waiting.typed
        turn.committed = True
        turn.seconds = waiting.seconds

    def _answers_alone(self) -> bool:
        detection = self.codec.config.turn_detection
        return detection is not None and detection.create_response and not self.codec.config.transcribes_only

    def _reply_started(self, event: ReplyStarted) -> Events:
        events: Events = []
        if self.active is not None and self.active.reply is not None:
            events += self._close("completed")
        turn = self._turns.get(event.turn)
        if turn:
            turn.responded = True
        if self.active is None:
            events += self.begin(metadata=() if event.turn else (("entendre", "announcement"),))
        assert self.active is not None
        self._announcing = None if event.turn else event.reply
        self.active.heard_s = turn.seconds if turn else 0.0
        return events + self.active.said(event.reply, event.turn, event.text, event.rate_hz)

    def _reply_ended(self, event: ReplyEnded) -> Events:
        if self.active is None or self.active.reply != event.reply:
            return []
        if event.interrupted:
            return self._close("cancelled", reason="turn_detected")
        return self._close("completed")

    def _failed(self, event: TurnFailed) -> Events:
        turn = self._turn(event.turn)
        self._unheard.discard(event.turn)
        events: Events = []
        if turn.item and not turn.typed and turn.committed and not self.items.transcribed(turn.item):
            error = {"type": "server_error", "code": event.code, "message": event.message}
            events.append(TranscriptionFailed(turn.item, 0, error))
        if self.active is not None:
            turn.responded = True
            return events + self._close("failed", code=event.code, message=event.message)
        return [*events, Failed("server_error", event.code, event.message)]

    def _turn_ended(self, event: TurnEnded) -> Events:
        turn = self._turns.pop(event.turn, None) or Turn(heard=True)
        self._unheard.discard(event.turn)
        if self._turn_under_way == event.turn:
            self._turn_under_way = None
        events: Events = []
        answered = turn.heard or self.asks_when_committed  # else an utterance was dropped, for this response perhaps
        if self.active is not None and self.active.reply is None and not self.transcript_pending and answered:
            events += self._close(*_STATUS[event.outcome])
        elif self.active is None and turn.committed and not turn.responded and self._answers_alone():
            events += [*self.begin(), *self._close(*_STATUS[event.outcome])]
        return events

    def _close(
        self, status: str, reason: str | None = None, code: str | None = None, message: str | None = None
    ) -> Events:
        if self.active is None:
            return []
        self.asks_when_committed = False
        response, self.active = self.active, None
        return response.closed(status, reason, code, message)

    def truncate(self, item: str, audio_end_ms: int) -> str | None:
        """Forget what a client did not play; the reply it belongs to, None if the item is no reply that long."""
        said = self.items.said.get(item)
        if said is None or audio_end_ms > said.milliseconds + 100:
            return None
        written = self.items[item]
        self.items.replace(replace(written, parts=tuple(replace(part, transcript="") for part in written.parts)))
        return said.reply


_STATUS: dict[Outcome, tuple[str, str | None]] = {
    Outcome.ANSWERED: ("completed", None),
    Outcome.NOT_UNDERSTOOD: ("completed", None),
    Outcome.NOTHING_HEARD: ("completed", None),
    Outcome.CANCELLED: ("cancelled", "client_cancelled"),
    Outcome.INTERRUPTED: ("cancelled", "turn_detected"),
    Outcome.ELSEWHERE: ("cancelled", "turn_detected"),
    Outcome.FAILED: ("failed", None),
}
