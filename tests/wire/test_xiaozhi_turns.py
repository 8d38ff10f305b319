"""Whole conversations of a xiaozhi device, replayed through every codec that takes part.

Provenance: written after the firmware's source (xiaozhi-esp32 2.4.2), a full turn in `auto` over each transport. The
order of the messages is the device's own: audio of the wake word comes before any `listen`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from entendre.wire import xiaozhi_messages as wire
from entendre.wire.mcp import McpClient, SendPayload, Vision
from entendre.wire.mqtt import MqttCodec, encode
from entendre.wire.mqtt_packets import Connect, ConnectRefused, Packet, PingReq, Publish
from entendre.wire.xiaozhi_frames import AudioFrame, decode_frame, encode_frame, packet_duration_ms
from entendre.wire.xiaozhi_messages import (
    AbortRequested,
    AudioParams,
    Goodbye,
    Hello,
    ListenMode,
    ListenStarted,
    McpMessage,
    WakeWordDetected,
    read_message,
)
from entendre.wire.xiaozhi_udp import UdpAudio, UdpDownlink, UdpSecrets, UdpUplink, seal

HELLO = {
    "type": "hello",
    "version": 1,
    "features": {"mcp": True},
    "transport": "websocket",
    "audio_params": {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60},
}
VOLUME = {"name": "self.audio_speaker.set_volume", "description": "", "inputSchema": {"type": "object"}}
WAKE_AUDIO = [bytes((0x58, at)) + bytes(40 + at) for at in range(33)]
SILENCE = [b"\x58", b"\x58\x00", b"\x58\xff\xfe"]
SPEECH = [bytes((0x58, at)) + bytes(90 - at) for at in range(20)] + SILENCE


def mcp_answer(number: int, result: dict[str, Any], session: str = "s-7f3a") -> dict[str, Any]:
    return {"session_id": session, "type": "mcp", "payload": {"jsonrpc": "2.0", "id": number, "result": result}}


def listen(state: str, session: str = "s-7f3a", **more: str) -> dict[str, Any]:
    return {"session_id": session, "type": "listen", "state": state} | more


DEVICE: list[dict[str, Any] | bytes] = [
    HELLO,
    mcp_answer(1, {"serverInfo": {"name": "esp-box-3", "version": "2.4.2"}}),
    mcp_answer(2, {"tools": [VOLUME]}),
    *WAKE_AUDIO,
    listen("detect", text="hi jarvis"),
    listen("start", mode="auto"),
    *SPEECH,
    {"session_id": "s-7f3a", "type": "abort", "reason": "wake_word_detected"},
    listen("start", session="", mode="auto"),
    {"session_id": "s-7f3a", "type": "goodbye"},
]
EVENTS = [
    Hello("websocket", features=wire.Features(mcp=True)),
    McpMessage,
    McpMessage,
    *map(AudioFrame, WAKE_AUDIO),
    WakeWordDetected("hi jarvis"),
    ListenStarted(ListenMode.AUTO),
    *map(AudioFrame, SPEECH),
    AbortRequested("wake_word_detected"),
    ListenStarted(ListenMode.AUTO),
    Goodbye("s-7f3a"),
]


def aes_ctr(key: bytes, block: bytes, data: bytes) -> bytes:
    worker = Cipher(algorithms.AES(key), modes.CTR(block)).encryptor()
    return worker.update(data) + worker.finalize()


def same(read: list[Any], expected: list[Any]) -> bool:
    return len(read) == len(expected) and all(
        isinstance(one, other) if isinstance(other, type) else one == other
        for one, other in zip(read, expected, strict=True)
    )


@pytest.mark.parametrize("framing", [1, 2, 3])
def test_a_turn_over_websocket_in_every_framing(framing: int) -> None:
    read: list[Any] = []
    for said in DEVICE:
        if isinstance(said, bytes):
            read.append(decode_frame(framing, encode_frame(framing, said)))
        else:
            read.append(read_message(json.dumps(said)))
    assert same(read, EVENTS)
    lengths_ms = [packet_duration_ms(frame.opus) for frame in read if isinstance(frame, AudioFrame)]
    assert lengths_ms == [60.0] * (len(WAKE_AUDIO) + len(SPEECH))


def test_the_tools_of_that_turn_are_listed() -> None:
    client = McpClient(Vision())
    outputs = client.start(0.0)
    for said in DEVICE:
        message = read_message(json.dumps(said)) if isinstance(said, dict) else None
        if isinstance(message, McpMessage):
            outputs += client.receive(message.payload, 0.0)
    asked = [json.loads(wire.mcp("s", each.payload)) for each in outputs if isinstance(each, SendPayload)]
    assert [each["payload"]["method"] for each in asked] == ["initialize", "notifications/initialized", "tools/list"]
    assert [tool.name for tool in client.tools] == ["self.audio_speaker.set_volume"]


def control_bytes() -> bytes:
    """What that device publishes when it is connected over MQTT, its control link as one stream."""
    said = [HELLO | {"version": 3, "transport": "udp"}, *(each for each in DEVICE[1:] if isinstance(each, dict))]
    published = [encode(Publish("device-server", json.dumps(each).encode())) for each in said]
    login = Connect("GID_box@@@02_11_22_33_44_55@@@u", "user", b"pass", 240)
    return encode(login) + b"".join(published) + encode(PingReq())


def control_events(packets: list[Packet | ConnectRefused | Any]) -> list[Any]:
    assert isinstance(packets[0], Connect)
    assert packets[-1] == PingReq()
    return [read_message(packet.payload) for packet in packets[1:-1]]


EXPECTED_CONTROL = [
    Hello("udp", 3, wire.Features(mcp=True)),
    *(event for event in EVENTS[1:] if not isinstance(event, AudioFrame)),
]


def test_the_control_link_over_mqtt_whole_and_byte_by_byte() -> None:
    stream = control_bytes()
    assert same(control_events(MqttCodec().receive(stream)), EXPECTED_CONTROL)
    codec = MqttCodec()
    packets = [packet for at in range(len(stream)) for packet in codec.receive(stream[at : at + 1])]
    assert same(control_events(packets), EXPECTED_CONTROL)


def test_the_audio_of_that_turn_over_udp_with_losses() -> None:
    secrets = UdpSecrets.of(bytes(range(20)))
    hello = json.loads(
        wire.hello_udp("s", AudioParams(24_000), host="h", port=8884, key=secrets.key, nonce=secrets.nonce)
    )
    key, nonce = bytes.fromhex(hello["udp"]["key"]), bytes.fromhex(hello["udp"]["nonce"])
    uplink, heard = UdpUplink(secrets, aes_ctr), []
    for number, opus in enumerate([*WAKE_AUDIO, *SPEECH], 1):
        datagram = seal(aes_ctr, key, nonce[4:8], 0, number, opus)
        if number % 7 == 0:
            continue  # lost
        accepted = uplink.receive(datagram)
        assert isinstance(accepted, UdpAudio)
        assert not isinstance(uplink.receive(datagram), UdpAudio), "a replayed packet is heard once"
        heard.append(accepted.opus)
    assert heard == [opus for number, opus in enumerate([*WAKE_AUDIO, *SPEECH], 1) if number % 7]
    downlink = UdpDownlink(secrets, aes_ctr)
    for opus in SPEECH:
        sealed = downlink.seal(opus)
        assert sealed is not None
        assert aes_ctr(key, sealed[:16], sealed[16:]) == opus
