"""The client's events in, the server's events out, and whatever else a peer may send."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai._models import construct_type_unchecked
from openai.types.realtime import RealtimeServerEvent

from entendre.core.audio import AudioFormat, Encoding
from entendre.wire import realtime_client as client
from entendre.wire import realtime_server as server
from entendre.wire.failure import ProtocolFailed
from entendre.wire.realtime import MAX_EVENT_BYTES, Dialect, RealtimeCodec, SessionConfig
from entendre.wire.realtime_items import Item, Part, Response, Usage
from entendre.wire.realtime_session import Tool

MESSAGE = Item("i", parts=(Part("input_text", "hi"), Part("input_audio", transcript="there")))
CALL = Item("i", "function_call", "", name="f", call="c", arguments="{}")
OUTPUT = Item("i", "function_call_output", "", call="c", output="done")
RESPONSE = Response(
    "r", "conv", "cancelled", reason="turn_detected", output=(CALL,), usage=Usage(1, 2, 3, 4), metadata=(("a", "b"),)
)
FAILED = Response("r", "conv", "failed", code="x", message="y", speaks=False, output_format=AudioFormat(8_000))
EVENTS: list[server.ServerEvent] = [
    server.SessionCreated("s", SessionConfig()),
    server.SessionChanged("s", SessionConfig(transcribes_only=True, turn_detection=None, transcription=False)),
    server.Failed("server_error", "c", "m", "p", "e"),
    server.SpeechBegan(1, "i"),
    server.SpeechEnded(2, "i"),
    server.BufferCommitted("i", None),
    server.BufferCleared(),
    server.ItemAdded(None, MESSAGE),
    server.ItemAdded("h", CALL),
    server.ItemFinished("h", OUTPUT),
    server.ItemShown(MESSAGE),
    server.ItemCut("i", 0, 5),
    server.ItemGone("i"),
    server.WordsHeard("i", 0, "wo"),
    server.Transcribed("i", 0, "words", 1.5),
    server.TranscriptionFailed("i", 0, {"code": "x", "message": "y"}),
    server.ResponseBegan(RESPONSE),
    server.ResponseEnded(FAILED),
    server.OutputAdded("r", 0, CALL),
    server.OutputFinished("r", 0, CALL),
    server.PartAdded("r", "i", 0, 0, Part("output_audio")),
    server.PartFinished("r", "i", 0, 0, Part("output_text", "x")),
    server.AudioSaid("r", "i", 0, 0, b"\1\2"),
    server.AudioFinished("r", "i", 0, 0),
    server.WordsSaid("r", "i", 0, 0, "x"),
    server.WordsFinished("r", "i", 0, 0, "x"),
    server.TextWritten("r", "i", 0, 0, "x"),
    server.TextFinished("r", "i", 0, 0, "x"),
    server.ArgumentsWritten("r", "i", 0, "c", "{}"),
    server.ArgumentsFinished("r", "i", 0, "c", "f", "{}"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_sdk_reads_every_event_as_what_it_is(event: server.ServerEvent) -> None:
    text = RealtimeCodec("c").send(event)
    assert text is not None
    document = json.loads(text)
    read: Any = construct_type_unchecked(value=document, type_=RealtimeServerEvent)
    assert read.type == document["type"]
    assert not getattr(read, "model_extra", None), "a key that the SDK does not know"
    required = [name for name, field in type(read).model_fields.items() if field.is_required()]
    assert not [name for name in required if name not in document]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_the_older_dialect_has_no_new_names(event: server.ServerEvent) -> None:
    text = RealtimeCodec("c", Dialect.BETA).send(event)
    if isinstance(event, server.ItemFinished):
        assert text is None
        return
    assert text is not None
    assert "output_audio." not in text and '"output_text' not in text and "conversation.item.added" not in text


def test_audio_goes_out_as_base64_and_every_event_has_its_own_id() -> None:
    codec = RealtimeCodec("c")
    documents = [json.loads(codec.send(server.AudioSaid("r", "i", 0, 0, bytes([n]))) or "") for n in range(3)]
    assert [base64.b64decode(document["delta"]) for document in documents] == [b"\0", b"\1", b"\2"]
    assert len({document["event_id"] for document in documents}) == 3


def test_an_extension_event_carries_its_body() -> None:
    text = RealtimeCodec("c").send(server.Extension("turn", {"turn": "t"}))
    assert json.loads(text or "")["type"] == "entendre.turn"


def event_of(document: Any) -> client.ClientEvent:
    received = RealtimeCodec("c").receive(json.dumps(document))
    assert isinstance(received, client.Received), received
    return received.event


AUDIO = base64.b64encode(b"abcd").decode()


@pytest.mark.parametrize(
    ("document", "event"),
    [
        ({"type": "input_audio_buffer.append", "audio": AUDIO}, client.AudioAppended(b"abcd")),
        ({"type": "input_audio_buffer.commit"}, client.AudioCommitted()),
        ({"type": "input_audio_buffer.clear"}, client.AudioCleared()),
        ({"type": "conversation.item.retrieve", "item_id": "i"}, client.ItemRetrieved("i")),
        ({"type": "conversation.item.delete", "item_id": "i"}, client.ItemDeleted("i")),
        (
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 9},
            client.ItemTruncated("i", 9),
        ),
        ({"type": "response.cancel"}, client.ResponseCancelled()),
        ({"type": "response.cancel", "response_id": "r"}, client.ResponseCancelled("r")),
        ({"type": "response.create"}, client.ResponseRequested()),
        (
            {
                "type": "response.create",
                "response": {"modalities": ["text"], "tools": [{"name": "f"}], "metadata": {"a": "b"}},
            },
            client.ResponseRequested(None, False, (Tool("f"),), (("a", "b"),)),
        ),
    ],
)
def test_events_of_the_client(document: Any, event: client.ClientEvent) -> None:
    assert event_of(document) == event


def test_items_of_the_client() -> None:
    written = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    created = event_of({"type": "conversation.item.create", "previous_item_id": "root", "item": {"id": "x", **written}})
    assert created == client.ItemCreated(Item("x", parts=(Part("input_text", "hi"),)), "root")
    asked = event_of(
        {"type": "response.create", "response": {"input": [written, {"type": "item_reference", "id": "y"}]}}
    )
    assert isinstance(asked, client.ResponseRequested) and asked.input is not None
    assert [item.text for item in asked.input] == ["hi"]
    spoken = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": AUDIO}]}
    heard = event_of({"type": "conversation.item.create", "item": spoken})
    assert isinstance(heard, client.ItemCreated) and heard.item.audio == b"abcd" and heard.item.text == ""
    result = {"type": "function_call_output", "call_id": "c", "output": "done"}
    output = event_of({"type": "conversation.item.create", "item": result})
    assert isinstance(output, client.ItemCreated) and (output.item.call, output.item.output) == ("c", "done")
    call = {"type": "function_call", "name": "f", "arguments": "{}"}
    called = event_of({"type": "conversation.item.create", "item": call})
    assert isinstance(called, client.ItemCreated) and called.item.name == "f" and called.item.call == called.item.id


@pytest.mark.parametrize(
    ("document", "param"),
    [
        ({}, "type"),
        ({"type": "x" * 500}, "type"),
        ({"type": "no.such"}, "type"),
        ({"type": "input_audio_buffer.append"}, "audio"),
        ({"type": "input_audio_buffer.append", "audio": "!!"}, "audio"),
        ({"type": "input_audio_buffer.append", "audio": "é"}, "audio"),
        ({"type": "conversation.item.create"}, "item"),
        ({"type": "conversation.item.create", "item": {"type": "message", "role": "robot"}}, "item.role"),
        ({"type": "conversation.item.create", "item": {"role": "user", "content": [1]}}, "item.content[0]"),
        ({"type": "conversation.item.create", "item": {"role": "user", "content": [{}] * 17}}, "item.content"),
        (
            {"type": "conversation.item.create", "item": {"role": "user", "content": [{"type": "input_image"}]}},
            "item.content[0].type",
        ),
        ({"type": "conversation.item.create", "item": {"type": "function_call_output"}}, "item.call_id"),
        ({"type": "conversation.item.truncate", "item_id": "i"}, "audio_end_ms"),
        ({"type": "conversation.item.truncate", "item_id": "i", "audio_end_ms": -1}, "audio_end_ms"),
        ({"type": "conversation.item.delete", "item_id": "i" * 65}, "item_id"),
        ({"type": "response.create", "response": {"metadata": {str(n): "x" for n in range(17)}}}, "response.metadata"),
        ({"type": "response.create", "response": {"metadata": {"a": 5}}}, "response.metadata.a"),
    ],
)
def test_mistakes_are_named(document: Any, param: str) -> None:
    event = event_of(document)
    assert isinstance(event, client.Rejected) and event.param == param


def test_unpaired_surrogates_never_leave_the_codec() -> None:
    item = {"role": "user", "content": [{"type": "input_text", "text": "a\ud800b"}]}
    created = event_of({"type": "conversation.item.create", "item": item})
    assert isinstance(created, client.ItemCreated)
    created.item.text.encode("utf-8")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "NaN", '{"type": Infinity}', "[" * 100_000, '{"a":' * 100_000, "9" * 10_000, "\0"]
)
def test_what_is_no_event_ends_the_connection(text: str) -> None:
    assert isinstance(RealtimeCodec("c").receive(text), ProtocolFailed)


def test_an_event_has_a_limit() -> None:
    failed = RealtimeCodec("c").receive(" " * (MAX_EVENT_BYTES + 1))
    assert isinstance(failed, ProtocolFailed) and failed.code == "event_too_large"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(sorted(client._READERS))
KEYS = st.sampled_from(
    ["session", "audio", "item", "item_id", "response", "event_id", "type", "content", "input", "tools", "format"]
)


@given(TYPES, st.dictionaries(KEYS, st.dictionaries(KEYS, JSON, max_size=4) | JSON, max_size=5))
def test_any_json_is_read_or_refused_but_never_raises(kind: str, document: dict[str, Any]) -> None:
    received = RealtimeCodec("c").receive(json.dumps({**document, "type": kind}))
    assert isinstance(received, client.Received | ProtocolFailed)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_but_never_raises(text: str) -> None:
    assert isinstance(RealtimeCodec("c").receive(text), client.Received | ProtocolFailed)


def test_telephone_formats_are_named_in_both_dialects() -> None:
    ulaw = AudioFormat(8_000, encoding=Encoding.ULAW)
    response = Response("r", "c", output_format=ulaw)
    current = json.loads(RealtimeCodec("c").send(server.ResponseBegan(response)) or "")["response"]
    older = json.loads(RealtimeCodec("c", Dialect.BETA).send(server.ResponseBegan(response)) or "")["response"]
    assert current["audio"]["output"]["format"] == {"type": "audio/pcmu"}
    assert older["output_audio_format"] == "g711_ulaw"
