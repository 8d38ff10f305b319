"""Start of speech: when listening becomes an utterance, and from where its audio is kept."""

from __future__ import annotations

from entendre.turn.activity import Activity, track
from entendre.turn.events import FrameScored
from entendre.turn.policy import Policy


def track_start(policy: Policy, activity: Activity, frame: FrameScored) -> Activity:
    """Activity while waiting for speech; speech that is already there in the first frame counts like any other."""
    return track(activity, frame, on=policy.speech_on, off=policy.speech_off, min_run_s=policy.min_speech_s)


def audio_from_s(policy: Policy, speech_start_s: float, floor_s: float) -> float:
    """Start of the audio to recognise: a little before the voice, never before `floor_s` (a wake word's end)."""
    return max(floor_s, speech_start_s - policy.preroll_s)
