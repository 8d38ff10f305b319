"""One target for each codec: takes bytes as a peer would send them, and says how much it holds afterwards.

A target that keeps state, as a connection does, keeps it from input to input, so that what grows is seen to grow.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from entendre.bench import fuzz_seeds as seeds
from entendre.core.audio import Encoding
from entendre.core.errors import InvalidInputError
from entendre.wire import fleet_messages, g711
from entendre.wire import xiaozhi_messages as messages
from entendre.wire.failure import ProtocolFailed
from entendre.wire.lenient import Json, compact, parse_object
from entendre.wire.mcp import MAX_TOOLS_BYTES, CallFinished, McpClient, McpOutput, SendPayload, Vision
from entendre.wire.mcp_tools import ToolAliases
from entendre.wire.mqtt import MAX_PACKET_BYTES, InboundQos, MqttCodec, Side
from entendre.wire.mqtt import encode as encode_packet
from entendre.wire.mqtt_packets import Connect, ConnectRefused, Packet, Publish, PubRel, Subscribe, matches
from entendre.wire.realtime import Dialect, RealtimeCodec
from entendre.wire.realtime_client import MAX_EVENT_BYTES, ItemCreated, Received, SessionUpdated
from entendre.wire.realtime_server import ItemShown, SessionChanged
from entendre.wire.wyoming import MAX_DATA_BYTES, MAX_HEADER_BYTES, MAX_PAYLOAD_BYTES, WyomingCodec, encode
from entendre.wire.xiaozhi_frames import AudioFrame, decode_frame, encode_frame, packet_duration_ms
from entendre.wire.xiaozhi_ota import WebSocketOffer, build_response, check_device_url, read_activation, read_report
from entendre.wire.xiaozhi_udp import UdpAudio, UdpSecrets, UdpUplink, cookie_of

MAX_WYOMING_BYTES = MAX_HEADER_BYTES + MAX_DATA_BYTES + MAX_PAYLOAD_BYTES
_PIECES = 3


@dataclass(frozen=True, slots=True)
class Target:
    """A codec under test. `make` gives a fresh feeder: bytes in, bytes still held out, at most `held_limit_bytes`."""

    make: Callable[[], Callable[[bytes], int]]
    seeds: tuple[bytes, ...]
    held_limit_bytes: int = 0


def _pieces(data: bytes) -> list[bytes]:
    """The same bytes as a network may cut them."""
    cut = 1 + (len(data) * 7 + data[:1].count(b"{")) % max(1, len(data))
    return [data[:cut], data[cut:]] if len(data) % _PIECES else [data]


def _wyoming() -> Callable[[bytes], int]:
    codec = WyomingCodec()

    def feed(data: bytes) -> int:
        nonlocal codec
        for piece in _pieces(data):
            for event in codec.receive(piece):
                if not isinstance(event, ProtocolFailed):
                    encode(event)
        held = len(codec._buffer)
        if codec.failed or held > 4 * len(data):
            codec.receive_eof()
            codec = WyomingCodec()
        return held

    return feed


def _realtime() -> Callable[[bytes], int]:
    codecs = [RealtimeCodec("fuzz", dialect) for dialect in Dialect]

    def feed(data: bytes) -> int:
        written = 0
        for codec in codecs:
            received = codec.receive(data.decode("utf-8", "replace"))
            event = received.event if isinstance(received, Received) else None
            if isinstance(event, SessionUpdated):
                written = len(codec.send(SessionChanged("sess", codec.config)) or "")
            elif isinstance(event, ItemCreated):
                codec.send(ItemShown(event.item))
        return written

    return feed


def _g711() -> Callable[[bytes], int]:
    def feed(data: bytes) -> int:
        for encoding in Encoding:
            written = g711.encode(g711.decode(data, encoding), encoding)
            if encoding is Encoding.ALAW and written != data:
                raise AssertionError("A-law does not survive the way back")
        return 0

    return feed


def _frames() -> Callable[[bytes], int]:
    def feed(data: bytes) -> int:
        for version in (1, 2, 3):
            frame = decode_frame(version, data)
            if isinstance(frame, AudioFrame):
                duration_ms = packet_duration_ms(frame.opus)
                if duration_ms is not None and not 2.5 <= duration_ms <= 120:
                    raise AssertionError("a packet lasts longer than it may")
                if decode_frame(version, encode_frame(version, frame.opus, frame.timestamp_ms)) != frame:
                    raise AssertionError("a frame does not survive the way back")
        return 0

    return feed


def _messages() -> Callable[[bytes], int]:
    def feed(data: bytes) -> int:
        message = messages.read_message(data)
        if isinstance(message, messages.WakeWordDetected):
            messages.stt("s", message.text).encode()
        elif isinstance(message, messages.McpMessage):
            messages.mcp("s", message.payload).encode()
        elif isinstance(message, messages.IotReported):
            messages.iot_commands("s", message.states).encode()
        return 0

    return feed


def _ota() -> Callable[[bytes], int]:
    offer = WebSocketOffer("wss://voice.example.org/xiaozhi/v1/", "token")

    def feed(data: bytes) -> int:
        text = data[:200].decode("latin-1")
        headers = {"Device-Id": text, "Client-Id": text, "User-Agent": text, "Accept-Language": text}
        for report in (read_report({}, data), read_report(headers, data)):
            json.dumps(build_response(report, server_time_ms=0, timezone_offset_min=0, websocket=offer)).encode()
        if read_activation(data).matches(b"key", "another challenge"):
            raise AssertionError("a proof without the key")
        with contextlib.suppress(InvalidInputError):
            check_device_url(text, ("ws", "wss"))
        return 0

    return feed


def _plain(key: bytes, block: bytes, data: bytes) -> bytes:
    """No cipher, so that mutated packets reach what comes behind it."""
    return data


def _udp() -> Callable[[bytes], int]:
    secrets = UdpSecrets(bytes(16), seeds.UDP_COOKIE)
    uplink = UdpUplink(secrets, _plain)

    def feed(data: bytes) -> int:
        nonlocal uplink
        before = uplink.last_sequence
        accepted = uplink.receive(data)
        if isinstance(accepted, UdpAudio):
            if cookie_of(data) != secrets.cookie or accepted.sequence <= before:
                raise AssertionError("a packet from elsewhere was accepted")
            if uplink.last_sequence > 1_000:
                uplink = UdpUplink(secrets, _plain)
        elif uplink.last_sequence != before:
            raise AssertionError("a refused packet moved the sequence")
        return 0

    return feed


def _mcp() -> Callable[[bytes], int]:
    client = McpClient(Vision())
    now_s = 0.0
    asked = 0

    def follow(outputs: list[McpOutput]) -> None:
        nonlocal asked
        for output in outputs:
            if isinstance(output, SendPayload):
                compact(output.payload).encode()
                asked = output.payload.get("id", asked)
            elif isinstance(output, CallFinished):
                compact(output.result.text).encode()

    def feed(data: bytes) -> int:
        nonlocal now_s
        now_s += 0.5
        payload: Json = parse_object(data) or {}
        if payload.get("id") == 1:
            payload["id"] = asked
        follow(client.receive(payload, now_s))
        follow(client.tick(now_s))
        if client.deadline_s is None and not client.ready:
            follow(client.start(now_s))
        elif client.ready:
            aliases = ToolAliases(tool.name for tool in client.tools)
            for tool in client.tools[:1]:
                follow(client.call("x", aliases.name(aliases.alias(tool.name)) or "", {"volume": 1}, now_s))
            if int(now_s) % 16 == 0:
                follow(client.start(now_s))
        return sum(tool.size_bytes for tool in client.tools)

    return feed


def _mqtt() -> Callable[[bytes], int]:
    codecs = {side: MqttCodec(side) for side in Side}
    qos = InboundQos()

    def feed(data: bytes) -> int:
        held = 0
        for side, codec in codecs.items():
            for piece in _pieces(data):
                for packet in codec.receive(piece):
                    if not isinstance(packet, ConnectRefused | ProtocolFailed):
                        _check_packet(packet, qos)
            held = max(held, codec.held_bytes)
            if codec.ended or codec.held_bytes > 4 * len(data):
                codecs[side] = MqttCodec(side)
                if side is Side.CLIENT and len(data) % 8:
                    codecs[side].receive(_LOGIN)
        return held

    return feed


_LOGIN = encode_packet(Connect("box"))


def _check_packet(packet: Packet, qos: InboundQos) -> None:
    """Whatever was read can be written, answered and matched."""
    if isinstance(packet, Publish):
        qos.accept(packet)
        matches(packet.topic, packet.topic)
    elif isinstance(packet, PubRel):
        qos.release(packet)
    elif isinstance(packet, Subscribe):
        for topic_filter, _ in packet.filters:
            matches(topic_filter, "a/b/c")
    encode_packet(packet)


def _fleet() -> Callable[[bytes], int]:
    """Inputs are a kind of message, a line break and its payload."""

    def feed(data: bytes) -> int:
        kind, _, payload = data.partition(b"\n")
        request = fleet_messages.read_request(kind.decode("utf-8", "replace"), payload)
        if isinstance(request, fleet_messages.TelemetrySent):
            for each in request.messages:
                fleet_messages.compact(each.body)
        elif isinstance(request, fleet_messages.CommandAnswered):
            fleet_messages.compact(request.result)
        return 0

    return feed


TARGETS: dict[str, Target] = {
    "wyoming": Target(_wyoming, seeds.WYOMING, MAX_WYOMING_BYTES),
    "realtime": Target(_realtime, seeds.REALTIME, MAX_EVENT_BYTES),
    "g711": Target(_g711, seeds.SOUND),
    "xiaozhi_frames": Target(_frames, seeds.FRAMES),
    "xiaozhi_messages": Target(_messages, seeds.MESSAGES),
    "xiaozhi_ota": Target(_ota, seeds.OTA),
    "xiaozhi_udp": Target(_udp, seeds.UDP),
    "mcp": Target(_mcp, seeds.MCP, MAX_TOOLS_BYTES),
    "fleet_messages": Target(_fleet, seeds.FLEET),
    "mqtt": Target(_mqtt, seeds.MQTT, MAX_PACKET_BYTES + 5),
}
