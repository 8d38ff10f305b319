from __future__ import annotations

from dataclasses import replace

import pytest
from parts import FRAME_SAMPLES, PatternWakeWord, Stage, loud, quiet

from entendre.core.audio import HOUSE_RATE_HZ
from entendre.session.api import DeviceProfile, ListenMode
from entendre.session.listening import IDLE_KEEP_S, Listening
from entendre.session.policy import policy_for
from entendre.turn.state import Phase, TurnState, initial_state

FRAME_S = FRAME_SAMPLES / HOUSE_RATE_HZ
PROFILE = DeviceProfile("d1", mode=ListenMode.WAKE)


def state(phase: Phase, profile: DeviceProfile = PROFILE) -> TurnState:
    return replace(initial_state(policy_for(profile, Stage().limits, 0.0)), phase=phase)


def listening(stage: Stage | None = None, profile: DeviceProfile = PROFILE) -> Listening:
    return Listening((stage or Stage()).assistant, profile)


def test_what_nobody_listens_to_is_one_silent_frame_however_loud() -> None:
    ears, piece = listening(), loud(0.1)
    (frame,) = ears.frames(piece, ears.append(piece), state(Phase.IDLE))
    assert (frame.start_s, frame.end_s, frame.probability) == (0.0, pytest.approx(0.1), 0.0)


def test_frames_are_scored_from_where_listening_began_and_go_on_across_pieces() -> None:
    ears, piece = listening(), loud(0.1)
    list(ears.frames(piece, ears.append(piece), state(Phase.IDLE)))
    heard = [f for _ in range(2) for f in ears.frames(piece, ears.append(piece), state(Phase.LISTENING))]
    assert len(heard) == int(0.2 / FRAME_S)
    assert [f.start_s for f in heard] == pytest.approx([0.1 + FRAME_S * n for n in range(len(heard))])
    assert {f.probability for f in heard} == {1.0}


def test_a_voice_over_a_reply_is_scored_only_where_the_echo_is_cancelled() -> None:
    for cancels in (False, True):
        profile = replace(PROFILE, cancels_echo=cancels, listens_while_speaking=True)
        ears, piece = listening(profile=profile), loud(0.1)
        frames = list(ears.frames(piece, ears.append(piece), state(Phase.BUSY, profile)))
        assert any(f.probability for f in frames) is cancels


def test_a_wake_word_is_searched_only_where_a_device_waits_for_one() -> None:
    stage, piece = Stage(wake_word=PatternWakeWord()), b"\xff\x7f" + quiet(0.1)
    assert [found.word for found in listening(stage).wake_words(piece)] == ["hey test"]
    assert listening(stage, DeviceProfile("d1", mode=ListenMode.MANUAL)).wake_words(piece) == []


def test_audio_is_kept_as_far_back_as_a_turn_may_ask_for_it() -> None:
    ears = listening()
    ears.append(loud(3.0))
    ears.forget(replace(state(Phase.HEARING), audio_from_s=1.0))
    assert len(ears.cut(0.0, 3.0)) == 2 * HOUSE_RATE_HZ
    ears.forget(state(Phase.IDLE))
    assert len(ears.cut(0.0, 3.0)) == IDLE_KEEP_S * HOUSE_RATE_HZ
