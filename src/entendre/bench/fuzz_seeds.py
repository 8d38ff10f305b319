"""Valid bytes of every protocol, from which the fuzzer makes bad ones."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping
from typing import Any

from entendre.wire import mqtt, wyoming
from entendre.wire import mqtt_packets as packets
from entendre.wire import wyoming_events as events
from entendre.wire.wyoming_info import Attribution, Info, Model, Program
from entendre.wire.xiaozhi_frames import encode_frame

OPUS = (
    b"\x58" + bytes(range(1, 60)),
    b"\x58",
    b"\x48\x00\x01",
    b"\x4b\x83\x01\x02" + bytes(6),
    b"\x4a\xfc\x00" + bytes(260),
    b"\x4b\x42\xff\x00" + bytes(258),
)
UDP_COOKIE = bytes.fromhex("c0ffee01")


def _text(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


WYOMING = tuple(
    wyoming.encode(event)
    for event in (
        events.Describe(),
        events.Transcribe(language="th", transcript_names=("ไฟ",)),
        events.AudioStart(16_000, 2, 1, 0),
        events.AudioChunk(16_000, 2, 1, bytes(range(64)), 7),
        events.AudioStop(9),
        events.Detect(("hey_jarvis",)),
        events.RunPipeline("asr", "tts", wake_word_names=("a",)),
        events.Intent("HassTurnOn", (events.Entity("name", "lamp"),), "ok"),
        events.Synthesize("Привет", events.SynthesizeVoice(name="v", speaker="s")),
        events.TimerStarted("t", 90, "tea", 0, 1, 30),
        Info(asr=(Program("whisper", models=(Model("base", ("en", "th"), Attribution("A maker", "u")),)),)),
    )
)

_ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "turn on the light"}]}
_TOOL = {"type": "function", "name": "open_app", "description": "d", "parameters": {"type": "object", "properties": {}}}
_CURRENT_AUDIO = {
    "input": {
        "format": {"type": "audio/pcm", "rate": 24_000},
        "transcription": {"language": "de"},
        "turn_detection": {"type": "semantic_vad", "eagerness": "high", "create_response": True},
    },
    "output": {"format": {"type": "audio/pcmu"}, "voice": {"id": "amy"}, "speed": 1.1},
}
_CURRENT_SESSION = {
    "type": "realtime",
    "audio": _CURRENT_AUDIO,
    "tools": [_TOOL],
    "instructions": "be brief",
    "model": "m",
    "tool_choice": "auto",
    "include": ["a"],
    "output_modalities": ["audio"],
    "max_output_tokens": 90,
}
_BETA_SESSION = {
    "voice": "amy",
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "pcm16",
    "modalities": ["text"],
    "input_audio_transcription": {"language": "th"},
    "max_response_output_tokens": "inf",
    "speed": 0.9,
    "turn_detection": {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500},
    "tools": [{"type": "function", "function": {"name": "f", "sentences": ["open {app}"]}}],
}
_PARTS = [{"type": "input_audio", "audio": "AAAA", "transcript": "hi"}, {"type": "output_text", "text": "hi"}]
_CALL = {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"}
REALTIME = tuple(
    map(
        _text,
        (
            {"type": "session.update", "session": _CURRENT_SESSION},
            {"type": "transcription_session.update", "session": _BETA_SESSION},
            {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(96)).decode()},
            {"type": "input_audio_buffer.commit", "event_id": "e1"},
            {"type": "conversation.item.create", "item": _ITEM, "previous_item_id": "root"},
            {"type": "conversation.item.create", "item": {"role": "assistant", "content": _PARTS}},
            {"type": "conversation.item.create", "item": _CALL},
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": "c", "output": ""},
            },
            {"type": "conversation.item.retrieve", "item_id": "i"},
            {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 1500},
            {"type": "response.create", "response": {"input": [_ITEM], "tools": [_TOOL], "metadata": {"a": "b"}}},
            {"type": "response.create", "response": {"modalities": ["text"]}},
            {"type": "response.cancel", "response_id": "r"},
            {"type": "entendre.twin.get", "event_id": "e2"},
            {"type": "entendre.twin.report", "patch": {"volume": 40, "lamp": None}, "request": "r1"},
            {"type": "entendre.telemetry", "messages": [{"body": {"t": 21.5}, "id": "m1", "at_s": 1.8e9}]},
            {"type": "entendre.command.answer", "id": "c-1", "status": 200, "result": {"ok": True}},
            {"type": "entendre.release.report", "running": "1.0", "rollout": "r", "attempt": 1, "said": "installed"},
        ),
    )
)

SOUND = (bytes(range(256)), b"\x00\x80" * 40, b"\xff" * 33)
FRAMES = (
    *tuple(encode_frame(version, opus, 1000) for version in (1, 2, 3) for opus in OPUS),
    struct.pack(">HHIII", 2, 1, 0, 0, 16) + b'{"type":"abort"}',
)

_VOLUME = {
    "name": "self.audio_speaker.set_volume",
    "description": "Set the volume.",
    "inputSchema": {"type": "object", "properties": {"volume": {"type": "integer", "minimum": 0, "maximum": 100}}},
}
_RESULTS: tuple[Mapping[str, Any], ...] = (
    {"serverInfo": {"name": "esp-box-3", "version": "2.4.2"}, "capabilities": {"tools": {}}},
    {"tools": [_VOLUME, {"name": "self.reboot", "annotations": {"audience": ["user"]}}], "nextCursor": "self.x"},
    {"tools": [_VOLUME], "nextCursor": ""},
    {"content": [{"type": "text", "text": "true"}], "isError": False},
    {"content": [{"type": "image", "image": '{"mimeType":"image/jpeg","data":"/9j/"}'}]},
)
MCP = (
    *tuple(_text({"jsonrpc": "2.0", "id": 1, "result": result}) for result in _RESULTS),
    _text({"jsonrpc": "2.0", "id": 1, "error": {"message": "Unknown tool"}}),
)
_HELLO = {
    "type": "hello",
    "version": 1,
    "features": {"mcp": True, "aec": True},
    "transport": "websocket",
    "audio_params": {"format": "opus", "sample_rate": 16_000, "channels": 1, "frame_duration": 60},
}
MESSAGES = (
    *map(
        _text,
        (
            _HELLO,
            {"session_id": "s", "type": "listen", "state": "detect", "text": "小智"},
            {"session_id": "s", "type": "listen", "state": "start", "mode": "realtime"},
            {"session_id": "s", "type": "listen", "state": "stop"},
            {"type": "abort", "reason": "wake_word_detected"},
            {"type": "goodbye", "session_id": "s"},
            {"type": "iot", "update": True, "states": [{"name": "Lamp", "state": {"on": True}}]},
            {"type": "mcp", "payload": json.loads(MCP[1])},
        ),
    ),
    b'{"type":"mcp","payload":{"jsonrpc":"2.0","id":12,"error":{"message":"no "x" here"}}}',
)
OTA = (
    _text(
        {
            "version": 2,
            "language": "en-US",
            "flash_size": 16_777_216,
            "mac_address": "02:11:22:33:44:55",
            "uuid": "7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11",
            "application": {"name": "xiaozhi", "version": "2.4.2", "elf_sha256": "ab" * 32},
            "board": {"type": "esp-box-3", "name": "box", "mac": "02:11:22:33:44:55"},
        }
    ),
    _text({"application": {"version": "1.0.0"}, "board": {"mac": "021122334455"}}),
    _text({"algorithm": "hmac-sha256", "serial_number": "s" * 32, "challenge": "c", "hmac": "ab" * 32}),
    _text({"Payload": {"serial_number": "s", "challenge": "c", "hmac": "ab" * 32}}),
    b"02:11:22:33:44:55",
    b"esp-box-3/2.4.2",
    b"wss://voice.example.org:8443/xiaozhi/v1/",
)
UDP = tuple(
    struct.pack(">BBH4sII", 1, 0, len(opus), UDP_COOKIE, 0, number) + opus for number, opus in enumerate(OPUS, 1)
)
MQTT = (
    mqtt.encode(packets.Connect("GID@@@02_11@@@u", "user", b"pass", 240, will=packets.Will("w", b"bye", 1, True))),
    mqtt.encode(packets.Publish("device-server", b'{"type":"hello"}')),
    mqtt.encode(packets.Publish("device-server", b"one", 1, 3)),
    mqtt.encode(packets.Publish("device-server", b"two", 2, 4, True)),
    mqtt.encode(packets.PubRel(4)),
    mqtt.encode(packets.Subscribe(1, (("a/+", 1), ("b/#", 2)))),
    mqtt.encode(packets.Unsubscribe(5, ("a/+",))),
    mqtt.encode(packets.PingReq()),
    mqtt.encode(packets.ConnAck()),
    mqtt.encode(packets.SubAck(5, (0, 1, 0x80))),
    mqtt.encode(packets.Disconnect()),
)

FLEET = (
    b'twin/get\n{"request":"a"}',
    b'twin/reported\n{"patch":{"volume":40,"led":{"color":null}},"request":"b"}',
    b'telemetry\n{"messages":[{"id":"m1","at_s":1.5,"body":{"t":21.5}},{"body":[1,"\\u00e9"]}]}',
    b'telemetry\n{"body":"x","id":"m2"}',
    b"commands/get\n{}",
    b'commands/0190-aa/answer\n{"status":200,"result":{"ok":true}}',
    b'firmware\n{"version":"1.4.0"}',
    b'release\n{"running":"1.4.0","rollout":"r","attempt":1,"said":"installed","detail":"d"}',
)
"""A kind of message of a device of the fleet, a line break, and its payload."""
