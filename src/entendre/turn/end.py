"""Semantic endpointing: how much silence ends an utterance, from what its draft means."""

from __future__ import annotations

from entendre.core.understanding import Completeness
from entendre.turn.events import DraftUnderstood
from entendre.turn.policy import Policy


def needed_silence_s(policy: Policy, draft: DraftUnderstood | None) -> float:
    """Silence that ends an utterance whose latest draft is `draft` (None: not recognised yet).

    Understanding may shorten the wait only when it is sure; an unfinished sentence always gets the long one.
    """
    if not policy.semantic:
        return policy.fixed_silence_s
    if draft is None:
        return policy.undrafted_s
    if draft.empty:
        return policy.empty_s
    if draft.completeness is Completeness.COMPLETE and not draft.sure:
        return policy.unsure_s
    return {
        Completeness.COMPLETE: policy.complete_s,
        Completeness.EXTENDABLE: policy.extendable_s,
        Completeness.INCOMPLETE: policy.incomplete_s,
        Completeness.UNKNOWN: policy.unknown_s,
    }[draft.completeness]


def settled(earlier: DraftUnderstood | None, later: DraftUnderstood) -> bool:
    """Whether two drafts in a row, made while the VAD still hears something, say the same whole command.

    A television behind the speaker keeps a VAD on; the words stop changing all the same.
    """
    whole = later.completeness in (Completeness.COMPLETE, Completeness.EXTENDABLE)
    return earlier is not None and whole and not later.empty and earlier.text == later.text


def wants_redraft(policy: Policy, draft: DraftUnderstood, silence_at_draft_s: float, silence_s: float) -> bool:
    """Whether a draft that was cut close to the voice deserves a second look with more of the tail."""
    if silence_at_draft_s >= policy.redraft_pause_s or silence_s < policy.redraft_pause_s:
        return False
    return draft.completeness in (Completeness.INCOMPLETE, Completeness.UNKNOWN) or not draft.sure
