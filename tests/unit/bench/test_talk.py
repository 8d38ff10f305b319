"""What a talker notes of a turn, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from entendre.bench.figures import medians, percentile
from entendre.bench.gap import parts_of
from entendre.bench.talk import Clip, Turn, note

CLIP = Clip("a", "stop", (), 1.0)
TRACE = {
    "speech_end_s": 1.3,
    "draft_asked_s": 1.4,
    "draft_s": 1.48,
    "understood_s": 1.49,
    "commit_s": 1.6,
    "synthesis_s": 1.5,
    "first_audio_s": 1.62,
}


def turn_after(*events: tuple[float, dict[str, Any]]) -> Turn:
    turn = Turn(CLIP, true_end_s=101.3, true_end_stream_s=1.3)
    for at_s, event in events:
        note(turn, event, at_s)
    return turn


def heard(text: str) -> dict[str, Any]:
    return {"type": "conversation.item.input_audio_transcription.completed", "transcript": text}


AUDIO = {"type": "response.output_audio.delta", "delta": ""}
DONE = {"type": "response.done"}
ENDED = {"type": "entendre.turn", "stage": "ended", "outcome": "answered", "trace": TRACE}
UNDERSTOOD = {"type": "entendre.turn", "stage": "understood", "commands": [{"intent": "Stop"}]}


def test_the_gap_is_from_the_true_end_to_the_first_audio() -> None:
    turn = turn_after((101.6, heard("stop")), (101.6, UNDERSTOOD), (101.63, AUDIO), (101.8, AUDIO), (102.5, DONE))
    assert turn.gap_s == pytest.approx(0.33)
    assert turn.understood
    assert not turn.cut_off
    assert not turn.over.is_set()
    note(turn, ENDED, 102.5)
    assert turn.over.is_set()


def test_words_before_the_true_end_are_a_cut_off() -> None:
    turn = turn_after((101.0, heard("stop")), (101.1, AUDIO), (101.2, DONE), (101.2, ENDED))
    assert turn.cut_off
    assert turn.gap_s is None
    assert not turn.over.is_set()


def test_noise_before_the_speech_is_no_cut_off() -> None:
    nothing = {"type": "entendre.turn", "stage": "ended", "outcome": "nothing_heard", "trace": {}}
    turn = turn_after((100.5, heard("")), (100.5, nothing))
    assert not turn.cut_off
    assert not turn.trace


def test_a_turn_that_takes_long_is_not_over_when_it_says_so() -> None:
    working = {"type": "entendre.turn", "stage": "working", "text": "One moment."}
    turn = turn_after((101.6, heard("stop")), (104.0, working))
    assert not turn.trace
    assert turn.outcome == ""


def test_a_timer_that_rings_meanwhile_is_no_reply() -> None:
    turn = turn_after((100.2, {"type": "response.created"}), (100.3, AUDIO), (100.9, DONE), (101.6, heard("stop")))
    assert not turn.cut_off
    assert turn.first_audio_s is None
    assert not turn.replied


def test_parts_add_up_where_they_do_not_overlap() -> None:
    turn = turn_after((101.6, heard("stop")), (101.63, AUDIO), (102.5, DONE), (102.5, ENDED))
    parts = parts_of(turn)
    assert parts["wait"] == pytest.approx(0.3)
    assert parts["recognition"] == pytest.approx(0.08)
    assert parts["understanding"] == pytest.approx(0.01)
    assert parts["synthesis"] == pytest.approx(0.02)
    assert parts["network"] == pytest.approx(0.01)
    assert parts["wait"] + parts["synthesis"] + parts["network"] == pytest.approx(turn.gap_s)


@pytest.mark.parametrize(("percent", "value"), [(0, 1.0), (50, 2.0), (75, 3.0), (95, 4.0), (100, 4.0)])
def test_percentiles_are_values_that_were_measured(percent: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == value


def test_nothing_measured_has_no_percentile() -> None:
    assert percentile([], 50) is None
    assert medians([]) == {}
    assert medians([{"a": 1.0}, {"a": 3.0, "b": 2.0}, {"a": 2.0}]) == {"a": 2.0, "b": 2.0}
