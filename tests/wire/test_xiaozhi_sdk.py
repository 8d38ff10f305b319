"""What an unmodified xiaozhi-sdk sent, replayed through every codec that takes part (provenance in the data file)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from entendre.wire.mcp import CallFinished, McpClient, McpOutput, SendPayload, ServerKnown, ToolsListed, Vision
from entendre.wire.mcp_content import CallResult
from entendre.wire.xiaozhi_frames import AudioFrame, decode_frame, packet_duration_ms, read_framing_version
from entendre.wire.xiaozhi_messages import (
    AbortRequested,
    AudioParams,
    Features,
    Hello,
    ListenMode,
    ListenStarted,
    McpMessage,
    WakeWordDetected,
    read_message,
)
from entendre.wire.xiaozhi_ota import DeviceReport, read_activation, read_report

TRANSCRIPT = json.loads((Path(__file__).parent / "data" / "xiaozhi_sdk.json").read_text(encoding="utf-8"))
SENT: list[dict[str, Any]] = TRANSCRIPT["sent"]
CLIENT = "668a20da-87ac-5ea8-9bef-aa69c623f3ea"


def requests(path: str) -> list[dict[str, Any]]:
    return [each for each in SENT if each.get("path") == path]


def conversations() -> list[list[Any]]:
    """The messages of each connection."""
    found: list[list[Any]] = []
    for each in SENT:
        if each.get("path") == "ws":
            found.append([])
        elif "text" in each:
            found[-1].append(read_message(each["text"]))
        elif "binary" in each:
            found[-1].append(decode_frame(1, base64.b64decode(each["binary"])))
    return found


def test_it_reports_who_it_is() -> None:
    (request,) = requests("/ota/")
    assert read_report(request["headers"], request["body"].encode()) == DeviceReport(
        device_id="02:11:22:33:44:55",
        client_id=CLIENT,
        serial_number="SN1",
        board="xiaozhi-sdk",
        board_name="xiaozhi-sdk",
        firmware_version="0.5.1",
        language="en-US",
    )


def test_it_proves_its_key() -> None:
    polls = requests("/ota/activate")
    assert len(polls) == 2
    for poll in polls:
        proof = read_activation(poll["body"].encode())
        assert (proof.serial_number, proof.challenge) == ("SN1", "c-1")
        assert proof.matches(TRANSCRIPT["license_key"].encode(), "c-1")
        assert not proof.matches(b"another", "c-1")


def test_its_connections_use_the_plainest_framing() -> None:
    connections = requests("ws")
    assert len(connections) == 2
    for each in connections:
        assert read_framing_version(each["headers"]["Protocol-Version"]) == 1
        assert each["headers"]["Client-Id"] == CLIENT


@pytest.mark.parametrize("place", [0, 1])
def test_its_conversation_begins_alike_before_and_after_binding(place: int) -> None:
    said = conversations()[place]
    assert said[0] == Hello("websocket", 1, Features(mcp=True), AudioParams(16_000, 1, 60))
    assert ListenStarted(ListenMode.REALTIME) in said
    assert WakeWordDetected("hi") in said


def test_its_sound_and_its_typed_sentence_arrive() -> None:
    said = conversations()[1]
    frames = [each for each in said if isinstance(each, AudioFrame)]
    assert [packet_duration_ms(frame.opus) for frame in frames] == [60.0] * 14
    assert said[-2:] == [WakeWordDetected("turn on the light"), AbortRequested()]


def test_its_tools_are_listed_and_called() -> None:
    client, now_s = McpClient(Vision("http://127.0.0.1/v", "t")), 0.0
    outputs: list[McpOutput] = client.start(now_s)
    for message in conversations()[0]:
        if isinstance(message, McpMessage):
            step = client.receive(message.payload, now_s)
            if any(isinstance(each, ToolsListed) for each in step):
                step += client.call("a", client.tools[0].name, {"volume": 40}, now_s)
                step += client.call("b", client.tools[1].name, {}, now_s)
            outputs += step
    told = [each for each in outputs if not isinstance(each, SendPayload | ToolsListed)]
    assert told == [
        ServerKnown("", "0.0.1"),
        CallFinished("a", CallResult('{"ok": true}')),
        CallFinished("b", CallResult("工具调用失败", code="tool_error")),
    ]
    assert [tool.name for tool in client.tools] == ["set_volume", "fail"]
