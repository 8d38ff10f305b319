"""Where speech is: hysteresis over VAD scores, so that one odd frame neither starts nor resumes an utterance."""

from __future__ import annotations

from dataclasses import dataclass

from entendre.turn.events import FrameScored

_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True)
class Activity:
    """Speech seen so far, in stream seconds.

    `voiced_from_s` None: no speech yet. `candidate_from_s`: a run of voiced frames too short to count yet.
    """

    voiced_from_s: float | None = None
    voiced_until_s: float = 0.0
    candidate_from_s: float | None = None

    @property
    def speaking(self) -> bool:
        """Whether speech was seen at all."""
        return self.voiced_from_s is not None

    @property
    def voiced_s(self) -> float:
        """From the first voiced frame to the last."""
        return self.voiced_until_s - self.voiced_from_s if self.voiced_from_s is not None else 0.0

    def silence_s(self, position_s: float) -> float:
        """Silence since the last voiced frame."""
        return position_s - self.voiced_until_s


QUIET = Activity()


def track(activity: Activity, frame: FrameScored, *, on: float, off: float, min_run_s: float) -> Activity:
    """The activity after one more frame.

    A run of frames at or above `on` counts once it lasts `min_run_s`; running speech goes on while frames stay at or
    above `off`.
    """
    if activity.speaking and activity.candidate_from_s is None and _adjoins(activity, frame):
        if frame.probability >= off:
            return Activity(activity.voiced_from_s, frame.end_s)
        return activity
    if frame.probability < (off if activity.candidate_from_s is not None else on):
        return activity if activity.candidate_from_s is None else _without_candidate(activity)
    candidate_from_s = frame.start_s if activity.candidate_from_s is None else activity.candidate_from_s
    if frame.end_s - candidate_from_s + _EPSILON_S < min_run_s:
        return Activity(activity.voiced_from_s, activity.voiced_until_s, candidate_from_s)
    voiced_from_s = candidate_from_s if activity.voiced_from_s is None else activity.voiced_from_s
    return Activity(voiced_from_s, frame.end_s)


def _adjoins(activity: Activity, frame: FrameScored) -> bool:
    return frame.start_s - activity.voiced_until_s < _EPSILON_S


def _without_candidate(activity: Activity) -> Activity:
    return Activity(activity.voiced_from_s, activity.voiced_until_s)
