from __future__ import annotations

from dataclasses import replace

import pytest

from entendre.gateways.realtime.dialogue import Dialogue
from entendre.session import api
from entendre.wire.realtime import RealtimeCodec, SessionConfig
from entendre.wire.realtime_server import Extension, ResponseEnded


def asked_by_client() -> Dialogue:
    """The server hears where an utterance ends, and the client asks for each response."""
    config = SessionConfig()
    assert config.turn_detection is not None
    detection = replace(config.turn_detection, create_response=False)
    return Dialogue(RealtimeCodec("c", config=replace(config, turn_detection=detection)))


def test_a_turn_that_takes_long_is_shown_to_clients_that_asked_for_it() -> None:
    working = api.StillWorking("t", "One moment.")
    assert Dialogue(RealtimeCodec("c")).on(working) == []
    dialogue = Dialogue(RealtimeCodec("c", config=SessionConfig(include=("entendre.turn",))))
    dialogue.on(api.SpeechStarted("t", 0.0))
    [event] = dialogue.on(working)
    assert isinstance(event, Extension)
    assert event.name == "turn"
    assert event.body["item_id"]
    assert (event.body["stage"], event.body["text"]) == ("working", "One moment.")


def statuses(events: list[object]) -> list[str]:
    return [event.response.status for event in events if isinstance(event, ResponseEnded)]


@pytest.mark.parametrize("detects", [True, False])
def test_an_utterance_that_was_dropped_for_a_response_does_not_end_it(detects: bool) -> None:
    dialogue = Dialogue(RealtimeCodec("c"))
    if not detects:
        dialogue.codec.config = replace(dialogue.codec.config, turn_detection=None)
    dialogue.on(api.SpeechStarted("noise", 0.0))
    dialogue.begin()
    dialogue.type(None)
    dropped = dialogue.on(api.SpeechStopped("noise", 0.4)) + dialogue.on(api.TurnEnded("noise", api.Outcome.CANCELLED))
    assert statuses(dropped) == []
    events = dialogue.on(api.TurnCommitted("typed", "what time is it", "en"))
    events += dialogue.on(api.ReplyStarted("r", "typed", "Noon.", 24_000))
    events += dialogue.on(api.ReplyEnded("r", "typed", 0.5))
    assert statuses(events) == ["completed"]


def test_a_response_can_be_asked_for_before_the_words_are_known() -> None:
    dialogue = asked_by_client()
    dialogue.on(api.SpeechStarted("t", 0.0))
    dialogue.on(api.SpeechStopped("t", 1.0))
    assert dialogue.transcript_pending, "the client has read that its audio was committed"
    dialogue.on(api.TurnCommitted("t", "what time is it", "en"))
    assert not dialogue.transcript_pending
    assert dialogue.answerable


@pytest.mark.parametrize(
    "end", [api.TurnFailed("t", "recognition_failed", "No."), api.TurnEnded("t", api.Outcome.NOTHING_HEARD)]
)
def test_a_response_that_waits_for_words_ends_when_there_are_none(end: api.SessionEvent) -> None:
    dialogue = asked_by_client()
    dialogue.on(api.SpeechStarted("t", 0.0))
    dialogue.on(api.SpeechStopped("t", 1.0))
    dialogue.begin()
    dialogue.asks_when_committed = True
    assert len(statuses(dialogue.on(end))) == 1
    assert not dialogue.asks_when_committed
    assert not dialogue.transcript_pending


def test_what_the_server_answers_already_cannot_be_committed_again() -> None:
    dialogue = Dialogue(RealtimeCodec("c"))
    assert not dialogue.deaf
    dialogue.on(api.SpeechStarted("t", 0.0))
    assert not dialogue.deaf
    dialogue.on(api.SpeechStopped("t", 1.0))
    assert dialogue.deaf
    dialogue.on(api.TurnCommitted("t", "what time is it", "en"))
    dialogue.on(api.ReplyStarted("r", "t", "Noon.", 24_000))
    assert dialogue.deaf
    dialogue.on(api.ReplyEnded("r", "t", 0.5))
    dialogue.on(api.TurnEnded("t", api.Outcome.ANSWERED))
    assert not dialogue.deaf
