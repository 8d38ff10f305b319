from __future__ import annotations

from entendre.session.api import DeviceProfile, ListenMode
from entendre.session.assistant import Limits
from entendre.session.policy import policy_for


def test_a_busy_machine_spares_drafts_but_waits_no_longer() -> None:
    profile = DeviceProfile("d")
    idle, busy = policy_for(profile, Limits(), 0.4), policy_for(profile, Limits(), 1.0)
    assert busy.draft_pause_s > idle.draft_pause_s
    assert busy.redraft_pause_s > 100 > idle.redraft_pause_s
    assert busy.progress_draft_s == 0.0 < idle.progress_draft_s
    assert (busy.complete_s, busy.extendable_s, busy.incomplete_s) == (
        idle.complete_s,
        idle.extendable_s,
        idle.incomplete_s,
    )


def test_a_profile_says_how_eager_and_how_long() -> None:
    eager = policy_for(DeviceProfile("d", eager_end=0.5), Limits(), 0.0)
    normal = policy_for(DeviceProfile("d"), Limits(), 0.0)
    assert eager.extendable_s == normal.extendable_s / 2
    assert eager.incomplete_s == normal.incomplete_s, "an unfinished sentence is never hurried"
    pushed = policy_for(DeviceProfile("d", mode=ListenMode.MANUAL), Limits(), 0.0)
    assert pushed.max_utterance_s == Limits().pushed_utterance_s
