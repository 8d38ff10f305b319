"""Which speaker of a home answers when several hear the same words: the first, unless a better one comes in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from entendre.session.likeness import Rhythm, same_rhythm, same_words

WINDOW_S = 1.0
"""Speakers that heard the same words were woken, or began to hear them, within this; networks and wake words differ."""

MEMORY_S = 10.0
"""How long a claim is compared with later ones: longer than any recognition of the same words takes."""

CLEARLY_BETTER_DB = 3.0
"""A difference that is no accident of the noise."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An utterance that a wake word opened, as one speaker heard it. Times are monotonic seconds.

    `own`: it stops what sounds on this very speaker, which no other speaker can do for it.
    """

    turn: str
    device: str
    room: str
    woken_at: float
    began_at: float
    text: str
    understood: bool
    signal_db: float
    own: bool = False
    rhythm: Rhythm | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Wake:
    """How an utterance that a wake word opened reached a speaker. Times are monotonic seconds.

    `sounding`: the speaker rang, spoke or played when it was woken.
    """

    woken_at: float
    began_at: float
    signal_db: float
    sounding: bool = False
    rhythm: Rhythm | None = field(default=None, compare=False)


class Verdict(Enum):
    """What a later candidate is beside an earlier one."""

    OTHER = "other"
    """Somebody else, or something else: both answer."""
    SILENT = "silent"
    """The same words: the earlier one answers."""
    TAKES_OVER = "takes_over"
    """The same words, heard better: this one answers if the earlier one has not begun to."""


def verdict(earlier: Candidate, later: Candidate) -> Verdict:
    """The rule for two speakers."""
    if earlier.device == later.device or not _at_once(earlier, later) or not _same_words(earlier, later):
        return Verdict.OTHER
    if (later.own, later.understood) != (earlier.own, earlier.understood):
        better = (later.own, later.understood) > (earlier.own, earlier.understood)
    else:
        better = later.signal_db >= earlier.signal_db + CLEARLY_BETTER_DB
    return Verdict.TAKES_OVER if better else Verdict.SILENT


def _at_once(one: Candidate, other: Candidate) -> bool:
    return min(abs(one.woken_at - other.woken_at), abs(one.began_at - other.began_at)) <= WINDOW_S


def _same_words(one: Candidate, other: Candidate) -> bool:
    rhythm = None
    if one.rhythm is not None and other.rhythm is not None:
        rhythm = same_rhythm(one.rhythm, other.rhythm)
    return same_words(one.text, other.text, understood=one.understood and other.understood, rhythm=rhythm)


@dataclass(slots=True)
class Claim:
    """The right to answer. It may be lost to a better speaker until `keep`."""

    candidate: Candidate
    at: float
    kept: bool = False
    lost: bool = False

    def keep(self) -> bool:
        """From here on this speaker answers; False if another one does."""
        self.kept = not self.lost
        return self.kept

    def withdraw(self) -> None:
        """Its turn was given up before it was answered."""
        self.lost = True


@dataclass(slots=True)
class Arbiter:
    """Lets one speaker of a home answer. Use from one event loop; `now` gives monotonic seconds."""

    now: Callable[[], float]
    _claims: list[Claim] = field(default_factory=list)
    _woken: dict[str, float] = field(default_factory=dict)

    def woke(self, device: str) -> None:
        """A wake word opened a speaker's microphone."""
        now = self.now()
        self._woken = {each: at for each, at in self._woken.items() if now - at <= MEMORY_S} | {device: now}

    def woke_alone(self, device: str) -> bool:
        """Whether no other speaker was woken when this one last was, within `MEMORY_S`."""
        at, others = self._woken.get(device), (each for each in self._woken if each != device)
        return at is None or not any(abs(at - self._woken[each]) <= WINDOW_S for each in others)

    def claim(self, candidate: Candidate) -> Claim | None:
        """The right to answer an utterance; None if another speaker has it."""
        now = self.now()
        self._claims = [each for each in self._claims if not each.lost and now - each.at <= MEMORY_S]
        rivals = [(each, verdict(each.candidate, candidate)) for each in self._claims]
        if any(
            found is Verdict.SILENT or (found is Verdict.TAKES_OVER and _suffices(each, candidate))
            for each, found in rivals
        ):
            return None
        for each, found in rivals:
            each.lost = found is Verdict.TAKES_OVER and not each.kept
        claim = Claim(candidate, now)
        self._claims.append(claim)
        return claim


def _suffices(claim: Claim, candidate: Candidate) -> bool:
    """Whether a speaker that has begun to answer does all that this one could: an apology doesn't, nor does a stranger
    to what sounds here."""
    missing = (candidate.understood and not claim.candidate.understood) or (candidate.own and not claim.candidate.own)
    return claim.kept and not missing
