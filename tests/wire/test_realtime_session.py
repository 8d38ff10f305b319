"""The session object in both shapes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entendre.core.audio import AudioFormat, Encoding
from entendre.wire.failure import ProtocolFailed
from entendre.wire.realtime import Dialect, RealtimeCodec, SessionConfig
from entendre.wire.realtime_client import Received, Rejected, SessionUpdated
from entendre.wire.realtime_server import SessionChanged
from entendre.wire.realtime_session import TurnDetection

ULAW = AudioFormat(8_000, encoding=Encoding.ULAW)


def after(session: Any, codec: RealtimeCodec | None = None) -> SessionConfig:
    codec = codec or RealtimeCodec("c")
    received = codec.receive(json.dumps({"type": "session.update", "session": session}))
    assert isinstance(received, Received) and isinstance(received.event, SessionUpdated), received
    assert codec.config is received.event.config
    return codec.config


def refused(session: Any) -> Rejected:
    codec = RealtimeCodec("c")
    received = codec.receive(json.dumps({"type": "session.update", "event_id": "e", "session": session}))
    assert isinstance(received, Received) and isinstance(received.event, Rejected), received
    assert codec.config == SessionConfig() and received.event.event == "e"
    return received.event


def test_the_current_shape() -> None:
    config = after(
        {
            "type": "realtime",
            "model": "m",
            "instructions": "be brief",
            "output_modalities": ["text"],
            "max_output_tokens": 100,
            "tool_choice": "none",
            "include": ["entendre.turn"],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}, "sentences": ["do {f}"]}],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcmu"},
                    "transcription": {"model": "any", "language": "de"},
                    "turn_detection": {"type": "semantic_vad", "eagerness": "high", "interrupt_response": False},
                },
                "output": {"format": {"type": "audio/pcm", "rate": 16000}, "voice": {"id": "v"}, "speed": 1.25},
            },
        }
    )
    assert (config.input_format, config.output_format) == (ULAW, AudioFormat(16_000))
    assert (config.speaks, config.voice, config.speed, config.language) == (False, "v", 1.25, "de")
    assert config.turn_detection == TurnDetection(eagerness="high", interrupt_response=False)
    assert (config.tools[0].name, config.tools[0].sentences) == ("f", ("do {f}",))
    assert (config.model, config.instructions, config.max_output_tokens) == ("m", "be brief", 100)


def test_the_older_shape() -> None:
    config = after(
        {
            "modalities": ["text", "audio"],
            "input_audio_format": "g711_ulaw",
            "output_audio_format": "g711_alaw",
            "input_audio_transcription": None,
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 300, "create_response": False},
            "voice": "verse",
            "max_response_output_tokens": "inf",
            "tools": [{"type": "function", "function": {"name": "nested"}}],
        }
    )
    assert (config.input_format, config.output_format.encoding) == (ULAW, Encoding.ALAW)
    assert config.turn_detection == TurnDetection(semantic=False, silence_duration_ms=300, create_response=False)
    assert (config.speaks, config.transcription, config.voice) == (True, False, "verse")
    assert config.tools[0].name == "nested"


def test_only_what_is_named_changes() -> None:
    codec = RealtimeCodec("c")
    after({"audio": {"output": {"voice": "v"}, "input": {"turn_detection": None}}}, codec)
    config = after({"type": "transcription", "tools": None, "instructions": None}, codec)
    assert (config.voice, config.turn_detection, config.transcribes_only) == ("v", None, True)
    assert after({"turn_detection": {"type": "none"}}).turn_detection is None
    assert after({}) == SessionConfig()


@pytest.mark.parametrize("dialect", list(Dialect))
def test_the_session_reads_back_what_it_writes(dialect: Dialect) -> None:
    codec = RealtimeCodec("c", dialect)
    config = after(
        {
            "turn_detection": {"type": "server_vad", "threshold": 0.7, "prefix_padding_ms": 100},
            "input_audio_format": "g711_alaw",
            "input_audio_transcription": {"language": "pt"},
            "voice": "v",
            "speed": 0.5,
            "tools": [{"name": "f", "description": "d", "parameters": {"a": [1]}, "sentences": ["s"]}],
        },
        codec,
    )
    text = codec.send(SessionChanged("sess_1", config))
    assert text is not None
    assert after(json.loads(text)["session"]) == config


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"type": "video"}, "session.type"),
        ({"type": 5}, "session.type"),
        ({"audio": []}, "session.audio"),
        ({"audio": {"input": {"format": "pcm16"}}}, "session.audio.input.format"),
        ({"audio": {"input": {"format": {"type": "audio/mp3"}}}}, "session.audio.input.format.type"),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 44100}}}}, "session.audio.input.format.rate"),
        ({"audio": {"input": {"format": {"type": "audio/pcmu", "rate": 16000}}}}, "session.audio.input.format.rate"),
        ({"audio": {"output": {"speed": 9}}}, "session.audio.output.speed"),
        ({"audio": {"output": {"speed": True}}}, "session.audio.output.speed"),
        ({"input_audio_format": "mp3"}, "session.input_audio_format"),
        ({"modalities": []}, "session.modalities"),
        ({"output_modalities": ["smell"]}, "session.output_modalities"),
        ({"turn_detection": "server_vad"}, "session.turn_detection"),
        ({"turn_detection": {"type": "psychic"}}, "session.turn_detection.type"),
        ({"turn_detection": {"silence_duration_ms": 10**9}}, "session.turn_detection.silence_duration_ms"),
        ({"turn_detection": {"silence_duration_ms": 0.5}}, "session.turn_detection.silence_duration_ms"),
        ({"turn_detection": {"create_response": "yes"}}, "session.turn_detection.create_response"),
        ({"voice": "v" * 65}, "session.voice"),
        ({"voice": {}}, "session.voice.id"),
        ({"instructions": "i" * 40_000}, "session.instructions"),
        ({"max_output_tokens": 0}, "session.max_output_tokens"),
        ({"tools": {}}, "session.tools"),
        ({"tools": [{}] * 65}, "session.tools"),
        ({"tools": [5]}, "session.tools[0]"),
        ({"tools": [{"name": "f", "type": "mcp"}]}, "session.tools[0].type"),
        ({"tools": [{"name": "f", "parameters": {"x": "y" * 20_000}}]}, "session.tools[0].parameters"),
        ({"tools": [{"name": "f", "sentences": [5]}]}, "session.tools[0].sentences"),
    ],
)
def test_a_wrong_setting_is_named_and_changes_nothing(session: Any, param: str) -> None:
    assert refused(session).param == param


def test_a_session_update_needs_a_session() -> None:
    received = RealtimeCodec("c").receive('{"type":"session.update"}')
    assert not isinstance(received, ProtocolFailed)
    assert isinstance(received.event, Rejected) and received.event.code == "missing_required_parameter"


def test_empty_parts_of_the_audio_settings_change_nothing() -> None:
    assert after({"audio": {}}) == after({"audio": {"input": {}, "output": {}}}) == SessionConfig()


@pytest.mark.parametrize(("depth", "accepted"), [(20, True), (60, True), (61, False), (900, False), (2_000, False)])
def test_a_tool_nested_too_deeply_to_be_written_again_is_refused(depth: int, accepted: bool) -> None:
    parameters = '{"a":' * depth + "1" + "}" * depth
    text = '{"type":"session.update","session":{"tools":[{"name":"f","parameters":' + parameters + "}]}}"
    received = RealtimeCodec("c").receive(text)
    assert isinstance(received, Received if accepted else ProtocolFailed)


def test_half_a_character_never_leaves_the_codec() -> None:
    tool = {"type": "function", "name": "f", "sentences": ["open \ud800"]}
    config = after({"tools": [tool], "include": ["a\udfff"]})
    assert config.tools[0].sentences == ("open �",)
    assert config.include == ("a�",)
