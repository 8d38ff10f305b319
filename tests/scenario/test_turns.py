"""Whole conversations through the turn machine, in virtual time."""

from __future__ import annotations

import pytest
from timeline import Timeline, Words

from entendre.core.understanding import Completeness as C
from entendre.turn import actions as do
from entendre.turn import events as ev
from entendre.turn.policy import ListenMode, Policy
from entendre.turn.state import Phase

OPEN = Policy(mode=ListenMode.CONTINUOUS, listens_while_speaking=True, cancels_echo=True)


def commit_of(line: Timeline) -> tuple[float, do.CommitTurn]:
    [(at, action)] = line.of(do.CommitTurn)
    assert isinstance(action, do.CommitTurn)
    return at, action


def test_complete_command_is_committed_as_soon_as_its_draft_says_so() -> None:
    line = Timeline(speech=((0.5, 1.6),), words=(Words(1.6, C.COMPLETE, "turn off the kitchen lights"),))
    line.listen().hear(3.0)
    at, commit = commit_of(line)
    assert line.names() == ["StartTurn", "CommitTurn"]
    assert at - 1.6 <= 0.2
    assert commit.draft is not None
    assert commit.speech_end_s == pytest.approx(1.6, abs=0.033)
    assert commit.from_s <= 0.5


@pytest.mark.parametrize("pause_s", [0.3, 0.7, 1.0, 1.4])
def test_pause_inside_an_incomplete_sentence_is_not_the_end(pause_s: float) -> None:
    resumed = 1.2 + pause_s
    line = Timeline(
        speech=((0.3, 1.2), (resumed, resumed + 1.0)),
        words=(Words(1.2, C.INCOMPLETE, "set a timer for"), Words(resumed + 0.9, C.COMPLETE, "set a timer for ten")),
    )
    line.listen().hear(resumed + 3.0)
    at, commit = commit_of(line)
    assert at > resumed + 1.0
    assert commit.from_s < 0.3


def test_incomplete_sentence_that_never_goes_on_is_committed_in_the_end() -> None:
    line = Timeline(speech=((0.3, 1.2),), words=(Words(1.2, C.INCOMPLETE, "set a timer for"),))
    line.listen().hear(6.0)
    at, _ = commit_of(line)
    assert 1.4 < at - 1.2 < 2.0


@pytest.mark.parametrize(
    ("completeness", "sure", "low_s", "high_s"),
    [
        (C.COMPLETE, True, 0.1, 0.2),
        (C.COMPLETE, False, 0.3, 0.5),
        (C.EXTENDABLE, True, 0.32, 0.5),
        (C.UNKNOWN, True, 0.8, 1.1),
    ],
)
def test_meaning_decides_the_silence(completeness: C, sure: bool, low_s: float, high_s: float) -> None:
    line = Timeline(speech=((0.3, 1.2),), words=(Words(1.2, completeness, "words", sure=sure),))
    line.listen().hear(5.0)
    at, _ = commit_of(line)
    assert low_s <= at - 1.2 <= high_s


def test_fixed_silence_when_understanding_may_not_decide() -> None:
    policy = Policy(semantic=False, fixed_silence_s=0.7)
    line = Timeline(policy, speech=((0.3, 1.2),), words=(Words(1.2, C.COMPLETE, "stop"),))
    line.listen().hear(3.0)
    at, commit = commit_of(line)
    assert 0.66 <= at - 1.2 <= 0.77
    assert commit.draft is not None


@pytest.mark.parametrize("onset_s", [0.0, 0.05])
def test_speech_in_the_first_frames_is_heard(onset_s: float) -> None:
    line = Timeline(speech=((onset_s, 0.4),), words=(Words(0.3, C.COMPLETE, "stop"),))
    line.listen().hear(2.0)
    at, commit = commit_of(line)
    assert commit.from_s == 0.0
    assert at < 0.65


def test_draft_is_thrown_away_when_the_speaker_goes_on() -> None:
    line = Timeline(
        speech=((0.3, 1.0), (1.15, 1.8)),
        words=(Words(1.0, C.COMPLETE, "turn on the lamp"), Words(1.7, C.COMPLETE, "turn on the lamp and the fan")),
        draft_delay_s=0.2,
    )
    line.listen().hear(3.0)
    _, commit = commit_of(line)
    assert line.of(do.DiscardDraft)
    assert commit.to_s > 1.8


def test_a_single_odd_frame_neither_starts_nor_resumes() -> None:
    line = Timeline(speech=((0.3, 0.33),))
    line.listen().hear(2.0)
    assert line.names() == []
    line = Timeline(speech=((0.3, 1.2), (1.31, 1.34)), words=(Words(1.2, C.COMPLETE, "stop"),), draft_delay_s=0.05)
    line.listen().hear(3.0)
    at, commit = commit_of(line)
    assert commit.speech_end_s < 1.25
    assert at < 1.5


def test_noise_that_is_no_speech_is_dropped_and_listening_goes_on() -> None:
    line = Timeline(speech=((0.3, 0.6), (1.6, 2.2)), words=(Words(2.1, C.COMPLETE, "stop"),))
    line.listen().hear(4.0)
    assert line.names() == ["StartTurn", "DropTurn", "StartTurn", "CommitTurn"]
    [(_, drop)] = line.of(do.DropTurn)
    assert drop == do.DropTurn(1, "nothing_heard")


def test_noise_after_the_time_out_ends_listening() -> None:
    line = Timeline(speech=((4.8, 5.1),))
    line.listen().hear(7.0)
    assert line.names() == ["StartTurn", "DropTurn", "EndListening"]


def test_nobody_speaks() -> None:
    line = Timeline().listen().hear(6.0)
    assert line.names() == ["EndListening"]
    assert line.log[0][0] <= 5.05
    silent = Timeline().listen().pass_time(6.0)
    assert silent.names() == ["EndListening"]
    assert silent.log[0][0] <= 5.05


def test_open_microphone_never_times_out() -> None:
    line = Timeline(OPEN).listen().hear(8.0).pass_time(10.0)
    assert line.names() == []
    assert line.state.phase is Phase.LISTENING


def test_stream_that_stops_after_the_last_word_is_committed_all_the_same() -> None:
    line = Timeline(speech=((0.3, 1.5),), words=(Words(1.4, C.COMPLETE, "what time is it"),))
    line.listen().hear(1.5).pass_time(1.0)
    at, _ = commit_of(line)
    assert at - 1.5 < 0.6


def test_stalled_stream_without_any_draft_is_committed_within_five_seconds() -> None:
    line = Timeline(speech=((0.3, 1.5),), words=(Words(1.0, C.COMPLETE, "words"),), draft_delay_s=60.0)
    line.listen().hear(1.5).pass_time(5.0)
    at, commit = commit_of(line)
    assert at - 1.5 < 5.0
    assert commit.draft is not None


def test_failing_recogniser_still_ends_the_turn() -> None:
    line = Timeline(speech=((0.3, 1.2),), failing_drafts=True)
    line.listen().hear(4.0)
    at, _ = commit_of(line)
    assert at - 1.2 < 1.2


def test_words_that_stop_changing_end_an_utterance_under_a_noisy_television() -> None:
    line = Timeline(speech=((0.3, 30.0),), words=(Words(1.2, C.COMPLETE, "turn off the lights"),))
    line.listen().hear(6.0)
    at, commit = commit_of(line)
    assert at < 4.6
    assert commit.draft is not None


def test_endless_speech_is_committed_at_the_limit() -> None:
    words = tuple(Words(float(n), C.UNKNOWN, f"words {n}") for n in range(1, 40))
    line = Timeline(Policy(max_utterance_s=8.0), speech=((0.3, 30.0),), words=words)
    line.listen().hear(9.0)
    at, _ = commit_of(line)
    assert at == pytest.approx(8.0, abs=0.1)


def test_unsure_or_unfinished_words_are_looked_at_again_with_more_of_their_tail() -> None:
    line = Timeline(
        speech=((0.3, 1.2),),
        words=(Words(1.2, C.UNKNOWN, "turn on the kit"), Words(1.4, C.COMPLETE, "turn on the kitchen light")),
    )
    line.listen().hear(3.0)
    at, _ = commit_of(line)
    assert len(line.of(do.RecognizeDraft)) == 2
    assert at - 1.2 < 0.6


# -- barge-in ------------------------------------------------------------------------------------------------------


def answered(policy: Policy, speech: tuple[tuple[float, float], ...]) -> Timeline:
    """A turn ending at 1.0 s whose reply starts at 1.5 s."""
    words = (Words(1.0, C.COMPLETE, "what can you do"), Words(9.0, C.UNKNOWN, "x"))
    line = Timeline(policy, speech=((0.2, 1.0), *speech), words=words)
    line.listen().hear(1.5)
    return line.send(ev.ReplyBegan())


def test_speech_during_a_reply_stops_it_within_200_ms() -> None:
    line = answered(OPEN, ((2.5, 3.2),)).hear(3.0)
    [(at, stop)] = line.of(do.StopReply)
    assert stop == do.StopReply("barge_in")
    assert at - 2.5 <= 0.2
    assert line.names() == ["StartTurn", "CommitTurn", "StartTurn", "StopReply"]
    start = line.of(do.StartTurn)[1][1]
    assert isinstance(start, do.StartTurn)
    assert start.audio_from_s <= 2.5


@pytest.mark.parametrize(
    "policy",
    [
        Policy(mode=ListenMode.CONTINUOUS, listens_while_speaking=True, cancels_echo=False),
        Policy(mode=ListenMode.CONTINUOUS, listens_while_speaking=False, cancels_echo=True),
        Policy(mode=ListenMode.AUTO),
    ],
)
def test_echo_of_the_reply_is_no_barge_in(policy: Policy) -> None:
    line = answered(policy, ((1.6, 4.0),)).hear(4.0)
    assert line.of(do.StopReply) == []


def test_echo_tail_after_a_reply_is_not_an_utterance() -> None:
    policy = Policy(mode=ListenMode.CONTINUOUS, listens_while_speaking=True, cancels_echo=False)
    line = answered(policy, ((1.6, 3.15),)).hear(3.0).send(ev.ReplyDone()).hear(5.0)
    assert line.names() == ["StartTurn", "CommitTurn"]


def test_speech_that_begins_as_the_reply_ends_is_kept_whole() -> None:
    line = answered(OPEN, ((2.96, 3.8),)).hear(3.04).send(ev.ReplyDone()).hear(3.3)
    start = line.of(do.StartTurn)[1][1]
    assert isinstance(start, do.StartTurn)
    assert start.speech_start_s == pytest.approx(2.96, abs=0.04)


def test_wake_word_interrupts_a_reply() -> None:
    line = answered(Policy(mode=ListenMode.WAKE), ()).hear(2.0).send(ev.WakeWordHeard(1.9))
    assert line.names() == ["StartTurn", "CommitTurn", "StopReply"]
    assert line.state.phase is Phase.LISTENING


def test_speaker_who_goes_on_after_an_unfinished_commit_is_heard_as_one_utterance() -> None:
    line = Timeline(OPEN, speech=((0.3, 1.2), (3.3, 4.2)), words=(Words(1.2, C.INCOMPLETE, "set a timer for"),))
    line.listen().hear(4.0)
    starts = [a for _, a in line.of(do.StartTurn)]
    assert isinstance(starts[1], do.StartTurn)
    assert starts[1].audio_from_s <= 0.3


# -- after the reply -----------------------------------------------------------------------------------------------


def test_a_question_opens_the_microphone_without_a_wake_word() -> None:
    line = answered(Policy(), ((3.6, 4.1),)).hear(3.0).send(ev.ReplyDone(expects_reply=True)).hear(4.2)
    assert line.names() == ["StartTurn", "CommitTurn", "StartTurn"]


def test_an_unanswered_question_closes_the_microphone_after_five_seconds() -> None:
    line = answered(Policy(), ()).hear(3.0).send(ev.ReplyDone(expects_reply=True)).hear(9.0)
    [(at, ended)] = line.of(do.EndListening)
    assert ended == do.EndListening("no_speech")
    assert at - 3.0 <= 5.1


def test_a_statement_closes_the_microphone() -> None:
    line = answered(Policy(), ((3.6, 4.1),)).hear(3.0).send(ev.ReplyDone()).hear(5.0)
    assert line.names() == ["StartTurn", "CommitTurn", "EndListening"]


def test_open_microphone_takes_the_next_turn() -> None:
    line = answered(OPEN, ((3.6, 4.1),)).hear(3.0).send(ev.ReplyDone()).hear(4.2)
    assert line.names() == ["StartTurn", "CommitTurn", "StartTurn"]


def test_announcement_leaves_an_idle_device_idle_and_a_listening_one_listening() -> None:
    idle = Timeline().send(ev.ReplyBegan()).send(ev.ReplyDone())
    assert (idle.state.phase, idle.names()) == (Phase.IDLE, [])
    listening = Timeline().listen().send(ev.ReplyBegan()).send(ev.ReplyDone())
    assert (listening.state.phase, listening.names()) == (Phase.LISTENING, [])


def test_reply_events_out_of_place_change_nothing() -> None:
    line = Timeline(speech=((0.1, 2.0),), words=(Words(0.2, C.UNKNOWN, "x"),)).listen().hear(1.0)
    before = line.state
    assert line.send(ev.ReplyDone()).state == before
    assert line.send(ev.ReplyBegan()).state == before


# -- the client's own decisions --------------------------------------------------------------------------------------


def test_push_to_talk_ends_with_the_button_and_uses_the_draft() -> None:
    line = Timeline(Policy(mode=ListenMode.MANUAL), speech=((0.2, 1.0),), words=(Words(1.0, C.COMPLETE, "lights"),))
    line.listen().hear(3.0)
    assert line.names() == ["StartTurn"]
    line.send(ev.ListeningStopped(3.0))
    _, commit = commit_of(line)
    assert (commit.from_s, commit.to_s) == (0.0, pytest.approx(3.0, abs=0.04))
    assert commit.draft is not None


def test_push_to_talk_without_any_voice_is_left_to_the_recogniser() -> None:
    line = Timeline(Policy(mode=ListenMode.MANUAL)).listen().hear(1.0).send(ev.ListeningStopped(1.0))
    _, commit = commit_of(line)
    assert commit.draft is None
    line.send(ev.ReplyDone(expects_reply=True))
    assert line.state.phase is Phase.IDLE


def test_push_to_talk_mid_word_discards_the_stale_draft() -> None:
    policy = Policy(mode=ListenMode.MANUAL)
    line = Timeline(policy, speech=((0.2, 5.0),), words=(Words(0.5, C.COMPLETE, "lights"),), draft_delay_s=1.0)
    line.listen().hear(3.2).send(ev.ListeningStopped(3.2))
    _, commit = commit_of(line)
    assert commit.draft is None
    assert line.of(do.DiscardDraft)


def test_client_commits_before_any_voice_was_detected() -> None:
    line = Timeline().listen().hear(1.0).send(ev.ListeningStopped(1.0))
    assert line.names() == ["StartTurn", "CommitTurn"]
    nothing = Timeline().listen().send(ev.ListeningStopped(0.0))
    assert nothing.names() == []
    assert Timeline().send(ev.ListeningStopped(1.0)).names() == []


def test_cleared_audio_is_forgotten() -> None:
    line = Timeline(OPEN, speech=((0.2, 3.0),), words=(Words(0.3, C.UNKNOWN, "x"),))
    line.listen().hear(1.0).send(ev.AudioCleared(1.0))
    assert line.names() == ["StartTurn", "DropTurn"]
    assert line.state.floor_s == 1.0
    assert Timeline().listen().hear(0.5).send(ev.AudioCleared(0.5)).names() == []


@pytest.mark.parametrize(("mode", "ends"), [(ListenMode.AUTO, True), (ListenMode.CONTINUOUS, False)])
def test_cancelling_an_utterance(mode: ListenMode, ends: bool) -> None:
    line = Timeline(Policy(mode=mode), speech=((0.2, 3.0),)).listen().hear(1.0).send(ev.TurnCancelled())
    assert line.names() == ["StartTurn", "DropTurn", *(["EndListening"] if ends else [])]


def test_cancelling_a_reply_and_nothing() -> None:
    assert answered(Policy(), ()).send(ev.TurnCancelled()).names()[-2:] == ["StopReply", "EndListening"]
    assert answered(OPEN, ()).send(ev.TurnCancelled()).names()[-1:] == ["StopReply"]
    assert Timeline().send(ev.TurnCancelled()).names() == []


def test_button_during_a_reply_interrupts_it() -> None:
    line = answered(Policy(), ()).listen()
    assert line.names() == ["StartTurn", "CommitTurn", "StopReply"]
    assert line.state.phase is Phase.LISTENING


def test_policy_changes_apply_at_once_and_keep_a_mode_that_the_client_chose() -> None:
    line = Timeline().listen(ListenMode.MANUAL).send(ev.PolicyChanged(Policy(extendable_s=0.3)))
    assert (line.state.mode, line.state.policy.extendable_s) == (ListenMode.MANUAL, 0.3)
    line.send(ev.PolicyChanged(OPEN))
    assert line.state.mode is ListenMode.CONTINUOUS


def test_stale_drafts_and_idle_time_change_nothing() -> None:
    line = Timeline().listen()
    before = line.state
    assert line.send(ev.DraftUnderstood(7, C.COMPLETE, "x")).state == before
    assert Timeline().send(ev.TimePassed()).names() == []
    assert Timeline().hear(0.5).names() == []
