"""The turn machine: `step(state, event, now) -> state, actions`. Sans-IO: it knows no sockets, models or clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from entendre.core.understanding import Completeness
from entendre.turn import actions as do
from entendre.turn import events as ev
from entendre.turn.activity import QUIET
from entendre.turn.barge_in import hears_user, track_barge_in
from entendre.turn.end import needed_silence_s, settled, wants_redraft
from entendre.turn.policy import ListenMode
from entendre.turn.start import audio_from_s, track_start
from entendre.turn.state import Draft, Phase, TurnState

Step = tuple[TurnState, tuple[do.TurnAction, ...]]

REOPEN_S = 2.0
"""A speaker who goes on this soon after an unfinished utterance was committed is heard as one utterance."""

_EPSILON_S = 1e-6


def step(state: TurnState, event: ev.TurnEvent, now: float) -> Step:
    """The state after an event and what the session is to do about it. `now`: monotonic seconds."""
    return _HANDLERS[type(event)](state, event, now)


# -- the microphone ----------------------------------------------------------------------------------------------------


def _on_listening_requested(state: TurnState, event: ev.ListeningRequested, now: float) -> Step:
    if state.phase is Phase.BUSY and not event.interrupts:
        return replace(state, mode=event.mode or state.policy.mode, resume_listening=True), ()
    state, actions = _abandon(state, "cancelled", "barge_in")
    state = replace(state, mode=event.mode or state.policy.mode)
    return _open(state, max(event.at_s, state.floor_s), now, actions)


def _on_wake_word_heard(state: TurnState, event: ev.WakeWordHeard, now: float) -> Step:
    state, actions = _abandon(state, "cancelled", "wake_word")
    return _open(state, event.at_s, now, actions)


def _on_listening_stopped(state: TurnState, event: ev.ListeningStopped, now: float) -> Step:
    state = replace(state, position_s=max(state.position_s, event.at_s))
    if state.phase is Phase.HEARING:
        return _commit(state)
    if state.phase is Phase.LISTENING and state.position_s > state.floor_s:
        turn = state.turn + 1
        state = replace(state, turn=turn, audio_from_s=state.floor_s, draft=None, activity=QUIET)
        state, actions = _commit(state)
        return state, (do.StartTurn(turn, state.audio_from_s, state.audio_from_s), *actions)
    return state, ()


def _on_audio_cleared(state: TurnState, event: ev.AudioCleared, now: float) -> Step:
    state = replace(state, floor_s=max(state.floor_s, event.at_s), reopen_from_s=None)
    if state.phase is not Phase.HEARING:
        return state, ()
    dropped = (*_discard(state), do.DropTurn(state.turn, "cancelled"))
    return _open(state, state.floor_s, now, dropped)


def _on_turn_cancelled(state: TurnState, event: ev.TurnCancelled, now: float) -> Step:
    if state.phase is Phase.IDLE:
        return state, ()
    state, actions = _abandon(state, "cancelled", "cancelled")
    if state.mode is ListenMode.CONTINUOUS:
        return _open(state, state.position_s, now, actions)
    return replace(state, phase=Phase.IDLE), (*actions, do.EndListening("cancelled"))


def _open(state: TurnState, floor_s: float, now: float, actions: tuple[do.TurnAction, ...]) -> Step:
    """Listen from `floor_s` on; push to talk is an utterance from its first sample."""
    state = replace(state, phase=Phase.LISTENING, floor_s=floor_s, listening_now=now, activity=QUIET, draft=None)
    if state.mode is not ListenMode.MANUAL:
        return state, actions
    turn = state.turn + 1
    state = replace(state, phase=Phase.HEARING, turn=turn, audio_from_s=floor_s, earlier=None, frame_now=now)
    return state, (*actions, do.StartTurn(turn, floor_s, floor_s))


def _abandon(
    state: TurnState,
    dropped: Literal["nothing_heard", "cancelled"],
    stopped: Literal["barge_in", "wake_word", "cancelled"],
) -> Step:
    """Give up the utterance or the reply under way, if any."""
    actions: tuple[do.TurnAction, ...] = ()
    if state.phase is Phase.HEARING:
        actions = (*_discard(state), do.DropTurn(state.turn, dropped))
    elif state.phase is Phase.BUSY:
        actions = (do.StopReply(stopped),)
    return replace(state, draft=None, earlier=None, activity=QUIET, reopen_from_s=None, answering=False), actions


# -- frames ------------------------------------------------------------------------------------------------------------


def _on_frame_scored(state: TurnState, event: ev.FrameScored, now: float) -> Step:
    state = replace(state, position_s=event.end_s, frame_now=now)
    if state.phase is Phase.LISTENING:
        return _frame_while_listening(state, event, now)
    if state.phase is Phase.HEARING:
        return _frame_while_hearing(state, event, now)
    if state.phase is Phase.BUSY:
        return _frame_while_busy(state, event)
    return state, ()


def _frame_while_listening(state: TurnState, frame: ev.FrameScored, now: float) -> Step:
    if frame.start_s + _EPSILON_S < state.floor_s:
        return state, ()
    state = replace(state, activity=track_start(state.policy, state.activity, frame))
    if state.activity.speaking:
        return _start_turn(state)
    if frame.end_s - state.floor_s >= state.policy.no_speech_s and state.activity.candidate_from_s is None:
        return _give_up_listening(state)
    return state, ()


def _frame_while_busy(state: TurnState, frame: ev.FrameScored) -> Step:
    state = replace(state, activity=track_barge_in(state.policy, state.activity, frame))
    if not state.activity.speaking:
        return state, ()
    state, actions = _start_turn(state)
    return state, (*actions, do.StopReply("barge_in"))


def _start_turn(state: TurnState) -> Step:
    speech_start_s = state.activity.voiced_from_s
    assert speech_start_s is not None
    from_s = audio_from_s(state.policy, speech_start_s, state.floor_s)
    if state.reopen_from_s is not None and speech_start_s - state.committed_at_s <= REOPEN_S:
        from_s = state.reopen_from_s
    state = replace(
        state,
        phase=Phase.HEARING,
        turn=state.turn + 1,
        audio_from_s=from_s,
        draft=None,
        earlier=None,
        reopen_from_s=None,
        answering=False,
    )
    return state, (do.StartTurn(state.turn, speech_start_s, from_s),)


def _frame_while_hearing(state: TurnState, frame: ev.FrameScored, now: float) -> Step:
    state = replace(state, activity=track_start(state.policy, state.activity, frame))
    discarded: tuple[do.TurnAction, ...] = ()
    draft = state.draft
    if draft is not None and not draft.progress and state.activity.voiced_until_s > draft.voiced_until_s:
        discarded = _discard(state)
        state = replace(state, draft=None)
    state, actions = _endpoint(state, now)
    return state, (*discarded, *actions)


# -- endpointing -------------------------------------------------------------------------------------------------------


def _endpoint(state: TurnState, now: float) -> Step:
    """Ask for a draft if one is due, commit if there was silence enough for what the draft means."""
    if state.position_s - state.audio_from_s >= state.policy.max_utterance_s:
        return _commit(state)
    silence_s = state.silence_s(now)
    if state.mode is ListenMode.MANUAL:
        return _draft_if_due(state, silence_s)
    understood = _pause_result(state)
    hesitating = state.activity.candidate_from_s is not None
    if not hesitating and silence_s + _EPSILON_S >= needed_silence_s(state.policy, understood):
        if understood is not None and understood.empty:
            return _drop_empty(state, now)
        return _commit(state)
    return _draft_if_due(state, silence_s)


def _pause_result(state: TurnState) -> ev.DraftUnderstood | None:
    """The latest draft's meaning, if that draft holds everything said so far."""
    draft = state.draft
    if draft is None or draft.voiced_until_s < state.activity.voiced_until_s:
        return None
    return draft.understood


def _draft_if_due(state: TurnState, silence_s: float) -> Step:
    policy, draft, activity = state.policy, state.draft, state.activity
    if not activity.speaking:
        return state, ()
    if silence_s + _EPSILON_S >= policy.draft_pause_s:
        if draft is None or draft.voiced_until_s < activity.voiced_until_s:
            return _request_draft(state, silence_s, progress=False)
        if draft.understood is not None and wants_redraft(policy, draft.understood, draft.silence_s, silence_s):
            return _request_draft(state, silence_s, progress=False, again=True)
        return state, ()
    working = draft is not None and draft.understood is None
    voiced_from_s = activity.voiced_from_s or 0.0
    due_s = voiced_from_s + policy.first_progress_draft_s
    if draft is not None:
        due_s = max(due_s, draft.to_s + policy.progress_draft_s)
    if not working and policy.progress_draft_s > 0 and state.position_s >= due_s:
        return _request_draft(state, silence_s, progress=True)
    return state, ()


def _request_draft(state: TurnState, silence_s: float, *, progress: bool, again: bool = False) -> Step:
    number = state.drafts + 1
    draft = Draft(number, state.activity.voiced_until_s, silence_s, state.position_s, progress)
    request = do.RecognizeDraft(state.turn, number, state.audio_from_s, state.position_s, again)
    return replace(state, drafts=number, draft=draft), (*_discard(state), request)


def _discard(state: TurnState) -> tuple[do.TurnAction, ...]:
    """Stop the draft that is still being worked on, if any."""
    if state.draft is None or state.draft.understood is not None:
        return ()
    return (do.DiscardDraft(state.draft.number),)


def _on_draft_understood(state: TurnState, event: ev.DraftUnderstood, now: float) -> Step:
    draft = state.draft
    if state.phase is not Phase.HEARING or draft is None or draft.number != event.draft:
        return state, ()
    state = replace(state, draft=replace(draft, understood=event))
    if state.policy.semantic and draft.progress and state.mode is not ListenMode.MANUAL:
        if settled(state.earlier, event):
            return _commit(state, words_settled=True)
        state = replace(state, earlier=event)
    return _endpoint(state, now)


def _on_draft_failed(state: TurnState, event: ev.DraftFailed, now: float) -> Step:
    return _on_draft_understood(state, ev.DraftUnderstood(event.draft, Completeness.UNKNOWN, sure=False), now)


def _commit(state: TurnState, *, words_settled: bool = False) -> Step:
    """End the utterance. The draft that holds all of it goes along, even if it is still being worked on."""
    draft = state.draft
    holds_all = draft is not None and (words_settled or draft.voiced_until_s >= state.activity.voiced_until_s)
    held = draft if holds_all else None
    understood = held.understood if held is not None else None
    unfinished = understood is None or understood.completeness in (Completeness.INCOMPLETE, Completeness.UNKNOWN)
    commit = do.CommitTurn(
        turn=state.turn,
        from_s=state.audio_from_s,
        to_s=state.position_s,
        speech_end_s=state.activity.voiced_until_s if state.activity.speaking else state.position_s,
        draft=held.number if held is not None else None,
        voiced_s=state.activity.voiced_s,
    )
    discarded = () if held is not None else _discard(state)
    state = replace(
        state,
        phase=Phase.BUSY,
        activity=QUIET,
        draft=None,
        earlier=None,
        answering=True,
        resume_listening=False,
        committed_at_s=state.position_s,
        reopen_from_s=state.audio_from_s if unfinished and state.mode is not ListenMode.MANUAL else None,
    )
    return state, (*discarded, commit)


def _drop_empty(state: TurnState, now: float) -> Step:
    """It was noise: listen on, as long as the no-speech time-out still allows."""
    dropped = (*_discard(state), do.DropTurn(state.turn, "nothing_heard"))
    state = replace(state, phase=Phase.LISTENING, activity=QUIET, draft=None, earlier=None)
    if state.mode is not ListenMode.CONTINUOUS and now - state.listening_now >= state.policy.no_speech_s:
        state, ended = _give_up_listening(state)
        return state, (*dropped, *ended)
    return replace(state, floor_s=state.position_s), dropped


# -- replies -----------------------------------------------------------------------------------------------------------


def _on_reply_began(state: TurnState, event: ev.ReplyBegan, now: float) -> Step:
    if state.phase in (Phase.IDLE, Phase.LISTENING):
        resume = state.phase is Phase.LISTENING
        return replace(state, phase=Phase.BUSY, activity=QUIET, answering=False, resume_listening=resume), ()
    return state, ()


def _on_reply_done(state: TurnState, event: ev.ReplyDone, now: float) -> Step:
    if state.phase is not Phase.BUSY:
        return state, ()
    answered = state.answering
    state = replace(state, answering=False)
    listens = state.resume_listening or event.expects_reply
    if state.mode is ListenMode.CONTINUOUS or (listens and state.mode is not ListenMode.MANUAL):
        return _listen_after_reply(state, now), ()
    state = replace(state, phase=Phase.IDLE, activity=QUIET, reopen_from_s=None)
    return state, (do.EndListening("answered"),) if answered else ()


def _listen_after_reply(state: TurnState, now: float) -> TurnState:
    """Open the microphone after a reply, past the reply's echo where the device hears itself."""
    trusted = hears_user(state.policy)
    tail_s = state.policy.echo_tail_s if state.policy.listens_while_speaking and not trusted else 0.0
    activity = state.activity if trusted else QUIET
    floor_s = state.floor_s if trusted else state.position_s + tail_s
    if trusted and activity.candidate_from_s is None:
        floor_s = state.position_s
    return replace(
        state,
        phase=Phase.LISTENING,
        floor_s=floor_s,
        listening_now=now,
        activity=activity,
        resume_listening=False,
    )


# -- time --------------------------------------------------------------------------------------------------------------


def _on_time_passed(state: TurnState, event: ev.TimePassed, now: float) -> Step:
    if state.phase is Phase.HEARING:
        return _endpoint(state, now)
    waits = state.phase is Phase.LISTENING and state.mode is not ListenMode.CONTINUOUS
    if waits and now - state.listening_now + _EPSILON_S >= state.policy.no_speech_s:
        return _give_up_listening(state)
    return state, ()


def _give_up_listening(state: TurnState) -> Step:
    if state.mode is ListenMode.CONTINUOUS:
        return state, ()
    return replace(state, phase=Phase.IDLE, activity=QUIET), (do.EndListening("no_speech"),)


def _on_policy_changed(state: TurnState, event: ev.PolicyChanged, now: float) -> Step:
    mode = state.mode if state.policy.mode is event.policy.mode else event.policy.mode
    return replace(state, policy=event.policy, mode=mode), ()


_HANDLERS: dict[type[Any], Callable[[TurnState, Any, float], Step]] = {
    ev.ListeningRequested: _on_listening_requested,
    ev.ListeningStopped: _on_listening_stopped,
    ev.AudioCleared: _on_audio_cleared,
    ev.WakeWordHeard: _on_wake_word_heard,
    ev.FrameScored: _on_frame_scored,
    ev.DraftUnderstood: _on_draft_understood,
    ev.DraftFailed: _on_draft_failed,
    ev.ReplyBegan: _on_reply_began,
    ev.ReplyDone: _on_reply_done,
    ev.TurnCancelled: _on_turn_cancelled,
    ev.TimePassed: _on_time_passed,
    ev.PolicyChanged: _on_policy_changed,
}
