"""Barge-in: whether speech during a reply is the user's."""

from __future__ import annotations

from entendre.turn.activity import QUIET, Activity, track
from entendre.turn.events import FrameScored
from entendre.turn.policy import Policy


def hears_user(policy: Policy) -> bool:
    """Whether uplink speech during a reply can be trusted to be the user's and not the reply's echo."""
    return policy.listens_while_speaking and policy.cancels_echo


def track_barge_in(policy: Policy, activity: Activity, frame: FrameScored) -> Activity:
    """Activity during a reply; it is `speaking` once the user has spoken long and clearly enough to interrupt."""
    if not hears_user(policy):
        return QUIET
    return track(activity, frame, on=policy.barge_in_on, off=policy.speech_off, min_run_s=policy.barge_in_s)
