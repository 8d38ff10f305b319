"""One committed turn: what is known of it while it is answered."""

from __future__ import annotations

from dataclasses import dataclass

from entendre.core.actions import ChangeTimer, ControlMedia, StopRinging, StopSpeaking
from entendre.core.audio import Samples
from entendre.core.plan import Plan, World
from entendre.session.api import Outcome
from entendre.session.arbiter import Candidate, Claim, Wake
from entendre.session.drafts import DraftRecord
from entendre.session.hearing import Heard, Hearing
from entendre.session.speaking import Prepared
from entendre.session.trace import Trace

OWN_ACTIONS = (StopRinging, StopSpeaking, ChangeTimer, ControlMedia)
"""What ends or changes a sound that one speaker makes."""

SPEECH_S = 0.3
"""Voice shorter than this, in which no words were found yet, may be a noise."""


@dataclass(slots=True)
class Turn:
    """One committed turn. `voiced_s`: how long somebody seems to have spoken."""

    id: str
    trace: Trace
    world: World
    record: DraftRecord | None = None
    prepared: Prepared | None = None
    wake: Wake | None = None
    voiced_s: float = 0.0
    claim: Claim | None = None
    outcome: Outcome = Outcome.ANSWERED
    expects_reply: bool = False
    due: tuple[Heard, Plan | None] | None = None
    """What was heard, and maybe planned, as long as nothing of it was begun: it is done even if the client goes."""

    @property
    def has_words(self) -> bool:
        """Whether something was said, as far as is known before it is recognised."""
        heard = self.record.heard if self.record is not None else None
        return self.voiced_s >= SPEECH_S if heard is None else not heard.empty

    def candidate(self, wake: Wake, device: str, room: str, heard: Heard, plan: Plan) -> Candidate:
        """What a speaker puts forward among those that may have heard the same words."""
        own = wake.sounding and any(isinstance(action, OWN_ACTIONS) for action in plan.actions)
        text, understood = heard.transcript.text, heard.understanding.understood
        times = wake.woken_at, wake.began_at
        return Candidate(self.id, device, room, *times, text, understood, wake.signal_db, own, wake.rhythm)

    def insist(self, plan: Plan) -> None:
        """Keep the right to answer from now on if something is to be done."""
        if self.claim is not None and plan.actions:
            self.claim.keep()

    async def final(self, hearing: Hearing, audio: Samples) -> tuple[Heard, Plan | None]:
        """What was said, and the plan if the draft already made one. Raises: what recognition raises."""
        draft: Heard | None = None
        if self.record is not None:
            try:
                if self.record.task is not None:
                    await self.record.task
            finally:
                draft, self.prepared = self.record.heard, self.record.prepared
        heard = await hearing.final(audio, self.world, draft)
        if self.record is None or heard is not draft:
            return heard, None
        return heard, self.record.plan
