"""The turn policy of a device's profile, with drafts spared while the machine is busy."""

from __future__ import annotations

from entendre.session.api import DeviceProfile, ListenMode
from entendre.session.assistant import Limits
from entendre.turn.policy import Policy

_NORMAL = Policy()

BUSY_UNKNOWN_S = 0.7
"""Without a second look there is less to wait for."""
_NEVER_S = 1e9
BUSY_DRAFT_PAUSE_S = 0.16
"""With inference queueing, only pauses that are likely ends are worth a draft."""

THOROUGH_BELOW = 0.5
"""A thorough look takes a worker for most of a second, and somebody else would wait for it."""


def affords_thorough(busy: float) -> bool:
    """Whether what was not understood may be heard once more with all effort. `busy`: as in `policy_for`."""
    return busy < THOROUGH_BELOW


def policy_for(profile: DeviceProfile, limits: Limits, busy: float) -> Policy:
    """The numbers for one device. `busy`: 0 idle, 1 all workers taken, more when work queues."""
    pushed = profile.mode is ListenMode.MANUAL
    spare = busy >= 1.0
    scale = profile.eager_end
    return Policy(
        mode=profile.mode,
        semantic=profile.semantic,
        listens_while_speaking=profile.listens_while_speaking,
        cancels_echo=profile.cancels_echo,
        fixed_silence_s=profile.silence_s,
        draft_pause_s=BUSY_DRAFT_PAUSE_S if spare else _NORMAL.draft_pause_s,
        redraft_pause_s=_NEVER_S if spare else _NORMAL.redraft_pause_s,
        progress_draft_s=0.0 if spare else _NORMAL.progress_draft_s,
        extendable_s=_NORMAL.extendable_s * scale,
        unknown_s=(BUSY_UNKNOWN_S if spare else _NORMAL.unknown_s) * scale,
        unsure_s=_NORMAL.unsure_s * scale,
        max_utterance_s=limits.pushed_utterance_s if pushed else limits.utterance_s,
    )
