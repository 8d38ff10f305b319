"""JSON messages of xiaozhi devices: the specification's own, lenient in all that clients get wrong, bounded in all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entendre.wire import xiaozhi_messages as wire
from entendre.wire.failure import ProtocolFailed
from entendre.wire.lenient import MAX_DEPTH, compact, count_of, objects_of, parse_object
from entendre.wire.xiaozhi_messages import (
    EMOTIONS,
    MAX_IOT_ITEMS,
    MAX_MESSAGE_BYTES,
    MAX_SHOWN_CHARS,
    MAX_TEXT_CHARS,
    AbortRequested,
    AudioParams,
    Features,
    Goodbye,
    Hello,
    IotReported,
    ListenMode,
    ListenStarted,
    ListenStopped,
    McpMessage,
    Unknown,
    WakeWordDetected,
    read_message,
)

DEVICE_HELLO = (
    '{"type":"hello","version":1,"features":{"mcp":true,"aec":true,"glyph_push":true},'
    '"text_font":{"bundle":"noto-v1","charset":"common","size":20,"bpp":4},"transport":"websocket",'
    '"audio_params":{"format":"opus","sample_rate":16000,"channels":1,"frame_duration":60}}'
)
MCP_RESULT = {"jsonrpc": "2.0", "id": 4, "result": {}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEVICE_HELLO, Hello("websocket", 1, Features(True, True, True), AudioParams(16_000, 1, 60))),
        ('{"type":"hello","version":3,"transport":"udp"}', Hello("udp", 3)),
        ('{"session_id":"s-7f3a","type":"listen","state":"detect","text":"hi jarvis"}', WakeWordDetected("hi jarvis")),
        ('{"session_id":"s-7f3a","type":"listen","state":"start","mode":"auto"}', ListenStarted(ListenMode.AUTO)),
        ('{"session_id":"","type":"listen","state":"start","mode":"manual"}', ListenStarted(ListenMode.MANUAL)),
        ('{"type":"listen","state":"start","mode":"realtime"}', ListenStarted(ListenMode.REALTIME)),
        ('{"session_id":"other","type":"listen","state":"stop"}', ListenStopped()),
        ('{"type":"abort","reason":"wake_word_detected"}', AbortRequested("wake_word_detected")),
        ('{"type":"abort"}', AbortRequested()),
        ('{"type":"mcp","payload":{"jsonrpc":"2.0","id":4,"result":{}}}', McpMessage(MCP_RESULT)),
        ('{"session_id":"s-7f3a","type":"goodbye"}', Goodbye("s-7f3a")),
        ('{"type":"iot","update":true,"descriptors":[{"name":"Lamp"}]}', IotReported(descriptors=({"name": "Lamp"},))),
        ('{"type":"iot","update":true,"states":[{"name":"Lamp"},5]}', IotReported(states=({"name": "Lamp"},))),
        ('{"type":"ping"}', Unknown("ping")),
    ],
)
def test_what_devices_say_becomes_events(text: str, expected: object) -> None:
    assert read_message(text) == expected
    assert read_message(text.encode()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type":"hello"}', Hello()),
        ('{"type":"hello","features":7,"audio_params":[],"version":"x","transport":null}', Hello()),
        (
            '{"type":"hello","audio_params":{"sample_rate":"24000","channels":2,"frame_duration":20.0}}',
            Hello(audio=AudioParams(24_000, 2, 20)),
        ),
        ('{"type":"hello","audio_params":{"sample_rate":44100,"channels":7,"frame_duration":61}}', Hello()),
        ('{"type":"hello","features":{"mcp":"yes","aec":1}}', Hello()),
        ('{"type":"listen","state":"start"}', ListenStarted()),
        ('{"type":"listen","state":"start","mode":"psychic"}', ListenStarted()),
        ('{"type":"listen","state":"detect"}', WakeWordDetected()),
        ('{"type":"listen","state":"detect","text":"\\ud83d"}', WakeWordDetected("�")),
        ('{"type":"listen","state":"dance"}', Unknown("listen")),
        ('{"type":"listen"}', Unknown("listen")),
        ('{"type":"mcp","payload":"x"}', Unknown("mcp")),
        ('{"type":7}', Unknown()),
        ("[]", Unknown()),
        ("", Unknown()),
        ('{"type":"abort"', Unknown()),
        ("[" * 60_000, Unknown()),
        ('{"type":"iot","states":{}}', IotReported()),
    ],
)
def test_what_clients_get_wrong_costs_them_little(text: str, expected: object) -> None:
    assert read_message(text) == expected


def test_bytes_that_are_no_text_are_unknown() -> None:
    assert read_message(b"\xff\xfe{") == Unknown()


def test_only_an_endless_message_fails() -> None:
    text = '{"type":"abort","reason":"' + "x" * MAX_MESSAGE_BYTES + '"}'
    failed = read_message(text)
    assert isinstance(failed, ProtocolFailed)
    assert failed.code == "message_too_long"


def test_everything_kept_is_bounded() -> None:
    said = read_message(json.dumps({"type": "listen", "state": "detect", "text": "x" * (MAX_TEXT_CHARS + 9)}))
    assert said == WakeWordDetected("x" * MAX_TEXT_CHARS)
    told = read_message(json.dumps({"type": "iot", "states": [{}] * (MAX_IOT_ITEMS + 9)}))
    assert told == IotReported(states=({},) * MAX_IOT_ITEMS)


def test_an_error_whose_message_the_device_did_not_escape_is_still_an_answer() -> None:
    broken = '{"session_id":"s","type":"mcp","payload":{"jsonrpc":"2.0","id":12,"error":{"message":"no "x" here"}}}'
    mended = read_message(broken)
    assert mended == McpMessage({"jsonrpc": "2.0", "id": 12, "error": {"message": "unreadable"}})
    assert read_message(broken.encode()) == mended
    assert read_message(broken.replace('"error"', '"result"')) == Unknown()
    assert read_message(broken.replace('"mcp"', '"iot"')) == Unknown()
    assert read_message(broken.replace(":12,", ":x,")) == Unknown()


def test_json_deeper_than_any_device_writes_is_not_read() -> None:
    def nested(depth: int) -> str:
        return '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1)

    assert parse_object(nested(MAX_DEPTH)) is not None
    assert parse_object(nested(MAX_DEPTH + 1)) is None
    wide = '{"a":[' + ",".join(["{}"] * 100) + "]}"
    assert parse_object(wide) == {"a": [{}] * 100}


def test_numbers_are_read_leniently() -> None:
    document: dict[str, Any] = {"a": "16777216", "b": 3.0, "c": 3.5, "d": True, "e": -1, "f": "٣", "g": "1" * 11}
    assert [count_of(document, key, 9) for key in "abcdefg"] == [16_777_216, 3, 9, 9, 9, 9, 9]
    assert parse_object('{"a":NaN,"b":-Infinity}') == {"a": None, "b": None}
    assert objects_of({"a": 5}, "a", 3) == ()


SESSION = "s-7f3a"
AUDIO = AudioParams(24_000, 1, 60)
AUDIO_JSON = {"format": "opus", "sample_rate": 24_000, "channels": 1, "frame_duration": 60}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (wire.hello_websocket(SESSION, AUDIO), {"type": "hello", "transport": "websocket", "audio_params": AUDIO_JSON}),
        (wire.stt(SESSION, "what time is it"), {"type": "stt", "text": "what time is it"}),
        (wire.llm(SESSION, "happy"), {"type": "llm", "emotion": "happy", "text": "🙂"}),
        (wire.llm(SESSION, "bored"), {"type": "llm", "emotion": "neutral", "text": "😶"}),
        (wire.tts_start(SESSION), {"type": "tts", "state": "start"}),
        (wire.tts_sentence(SESSION, "Half past."), {"type": "tts", "state": "sentence_start", "text": "Half past."}),
        (wire.tts_stop(SESSION), {"type": "tts", "state": "stop"}),
        (wire.system_reboot(SESSION), {"type": "system", "command": "reboot"}),
        (
            wire.alert(SESSION, "Notice", "Battery is low", "sad"),
            {"type": "alert", "status": "Notice", "message": "Battery is low", "emotion": "sad"},
        ),
        (
            wire.alert(SESSION, "a", "b", "bored"),
            {"type": "alert", "status": "a", "message": "b", "emotion": "neutral"},
        ),
        (wire.mcp(SESSION, MCP_RESULT), {"type": "mcp", "payload": MCP_RESULT}),
        (wire.iot_commands(SESSION, [{"name": "Speaker"}]), {"type": "iot", "commands": [{"name": "Speaker"}]}),
        (wire.goodbye(SESSION), {"type": "goodbye"}),
    ],
)
def test_what_the_server_says(text: str, expected: dict[str, Any]) -> None:
    assert json.loads(text) == {"session_id": SESSION} | expected


def test_the_hello_of_a_udp_channel_has_all_that_the_firmware_reads() -> None:
    key, nonce = bytes.fromhex("00112233445566778899aabbccddeeff"), bytes.fromhex("01000000c0ffee010000000000000000")
    text = wire.hello_udp("s-91c2", AUDIO, host="voice.example.org", port=8884, key=key, nonce=nonce)
    assert json.loads(text) == {
        "type": "hello",
        "version": 3,
        "transport": "udp",
        "session_id": "s-91c2",
        "udp": {
            "server": "voice.example.org",
            "port": 8884,
            "encryption": "aes-128-ctr",
            "key": "00112233445566778899aabbccddeeff",
            "nonce": "01000000c0ffee010000000000000000",
        },
        "audio_params": AUDIO_JSON,
    }


@given(st.text(max_size=3 * MAX_SHOWN_CHARS))
@example("\x01" * 3 * MAX_SHOWN_CHARS)
@example("𝕏\ud800" * MAX_SHOWN_CHARS)
def test_shown_text_always_fits_a_devices_buffer(text: str) -> None:
    message = wire.stt(SESSION, text).encode()
    assert len(message) < 8_000
    shown = json.loads(message)["text"]
    assert len(shown) <= MAX_SHOWN_CHARS
    if len(text) > MAX_SHOWN_CHARS:
        assert shown.endswith("…")


def test_the_firmware_knows_twenty_one_faces() -> None:
    assert len(EMOTIONS) == 21
    assert len(set(EMOTIONS.values())) == 21


def test_writing_never_breaks_utf_8() -> None:
    assert compact({"a": "\ud800"}).encode() == '{"a":"�"}'.encode()


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200)))
def test_any_text_gives_an_event(text: str | bytes) -> None:
    assert not isinstance(read_message(text), ProtocolFailed)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(["state", "mode", "text", "payload", "features", "audio_params", "descriptors", "version"])


@given(st.sampled_from(["hello", "listen", "abort", "mcp", "goodbye", "iot"]), st.dictionaries(_MEMBERS, _JSON))
def test_any_members_give_an_event(kind: str, members: dict[str, Any]) -> None:
    read = read_message(json.dumps(members | {"type": kind}))
    assert not isinstance(read, ProtocolFailed)
