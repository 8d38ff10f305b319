"""A conversation as a timeline in virtual time: say when somebody speaks and what each draft would mean."""

from __future__ import annotations

from dataclasses import dataclass, field

from entendre.core.understanding import Completeness
from entendre.turn import actions as do
from entendre.turn import events as ev
from entendre.turn.machine import step
from entendre.turn.policy import Policy
from entendre.turn.state import deadline, initial_state

FRAME_S = 0.032


@dataclass(frozen=True)
class Words:
    """What a recogniser would write of audio that ends at or after `until_s`."""

    until_s: float
    completeness: Completeness
    text: str = ""
    empty: bool = False
    sure: bool = True


@dataclass
class Timeline:
    """Runs the machine over frames of virtual audio. `speech`: spans in stream seconds in which somebody speaks."""

    policy: Policy = field(default_factory=Policy)
    speech: tuple[tuple[float, float], ...] = ()
    words: tuple[Words, ...] = ()
    draft_delay_s: float = 0.08
    failing_drafts: bool = False
    frame_s: float = FRAME_S

    def __post_init__(self) -> None:
        self.state = initial_state(self.policy)
        self.now = 0.0
        self.stream_s = 0.0
        self.log: list[tuple[float, do.TurnAction]] = []
        self.due: list[tuple[float, ev.TurnEvent]] = []

    def send(self, event: ev.TurnEvent) -> Timeline:
        """One event now."""
        self.state, actions = step(self.state, event, self.now)
        for action in actions:
            self.log.append((round(self.now, 3), action))
            if isinstance(action, do.RecognizeDraft):
                self.due.append((self.now + self.draft_delay_s, self._result(action)))
        return self

    def listen(self, mode: object = None) -> Timeline:
        """The client opens its microphone."""
        return self.send(ev.ListeningRequested(self.stream_s, mode))  # type: ignore[arg-type]

    def hear(self, until_s: float) -> Timeline:
        """Frames arrive in real time up to a stream position."""
        while self.stream_s + self.frame_s <= until_s + 1e-9:
            end_s = self.stream_s + self.frame_s
            self.pass_time(self.frame_s)
            middle_s = self.stream_s + self.frame_s / 2
            voiced = any(start <= middle_s < end for start, end in self.speech)
            start_s, self.stream_s = self.stream_s, end_s
            self.send(ev.FrameScored(start_s, end_s, 0.95 if voiced else 0.02))
        return self

    def pass_time(self, seconds: float) -> Timeline:
        """Time passes; drafts come back and deadlines are met as they fall due."""
        until = self.now + seconds
        while True:
            tick_at = deadline(self.state)
            events = [*self.due, *([(max(tick_at, self.now + 0.05), ev.TimePassed())] if tick_at is not None else [])]
            at, event = min(events, key=lambda due: due[0], default=(float("inf"), ev.TimePassed()))
            if at > until:
                break
            if (at, event) in self.due:
                self.due.remove((at, event))
            self.now = max(self.now, at)
            self.send(event)
        self.now = until
        return self

    def of(self, kind: type) -> list[tuple[float, do.TurnAction]]:
        """Actions of one kind with their times."""
        return [(at, action) for at, action in self.log if isinstance(action, kind)]

    def names(self) -> list[str]:
        """The whole action list by name, drafts left out."""
        return [type(a).__name__ for _, a in self.log if not isinstance(a, do.RecognizeDraft | do.DiscardDraft)]

    def _result(self, request: do.RecognizeDraft) -> ev.TurnEvent:
        if self.failing_drafts:
            return ev.DraftFailed(request.draft)
        heard = [w for w in self.words if w.until_s <= request.to_s + 1e-9]
        if not heard:
            return ev.DraftUnderstood(request.draft, Completeness.UNKNOWN, "", empty=True)
        last = heard[-1]
        return ev.DraftUnderstood(request.draft, last.completeness, last.text, last.empty, last.sure)
