"""Events of devices of the fleet in the Realtime protocol: read as the messages that they are by MQTT."""

from __future__ import annotations

import json
from typing import Any

import pytest

from entendre.wire import fleet_messages as fleet
from entendre.wire import realtime_client as client
from entendre.wire.realtime import RealtimeCodec
from entendre.wire.realtime_fleet import DeviceSaid


def event_of(document: Any) -> client.ClientEvent:
    received = RealtimeCodec("c").receive(document if isinstance(document, str) else json.dumps(document))
    assert isinstance(received, client.Received), received
    return received.event


@pytest.mark.parametrize(
    ("document", "request_"),
    [
        ({"type": "entendre.twin.get"}, fleet.TwinAsked()),
        ({"type": "entendre.twin.report", "patch": {"a": None}, "request": "r"}, fleet.TwinReported({"a": None}, "r")),
        (
            {"type": "entendre.telemetry", "messages": [{"body": 1, "id": "m", "at_s": 2}]},
            fleet.TelemetrySent((fleet.Measured(1, "m", 2.0),)),
        ),
        ({"type": "entendre.telemetry", "body": [1], "id": "m"}, fleet.TelemetrySent((fleet.Measured([1], "m"),))),
        (
            {"type": "entendre.command.answer", "id": "c-1", "status": 404, "result": "no"},
            fleet.CommandAnswered("c-1", 404, "no"),
        ),
        ({"type": "entendre.release.report", "running": "1.0"}, fleet.ReleaseAsked("1.0")),
    ],
    ids=lambda value: value.get("type") if isinstance(value, dict) else "",
)
def test_a_device_says_in_a_conversation_what_it_says_by_mqtt(document: Any, request_: fleet.DeviceRequest) -> None:
    assert event_of(document) == DeviceSaid(request_)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"type": "entendre.twin.report"}, "bad_message"),
        ({"type": "entendre.twin.report", "patch": [1]}, "bad_message"),
        ({"type": "entendre.twin.get", "request": ""}, "bad_request_id"),
        ({"type": "entendre.telemetry"}, "bad_message"),
        ({"type": "entendre.telemetry", "messages": [{"body": 1}] * (fleet.MAX_MESSAGES + 1)}, "bad_message"),
        ({"type": "entendre.telemetry", "body": "x" * fleet.MAX_MESSAGE_BYTES}, "message_too_long"),
        ({"type": "entendre.telemetry", "body": "\0"}, "bad_text"),
        ({"type": "entendre.telemetry", "body": "\ud800"}, "bad_text"),
        ({"type": "entendre.command.answer"}, "missing_required_parameter"),
        ({"type": "entendre.command.answer", "id": 7}, "invalid_type"),
        ({"type": "entendre.command.answer", "id": "x" * 65}, "string_above_max_length"),
        ({"type": "entendre.command.answer", "id": "a/b"}, "invalid_value"),
        ({"type": "entendre.command.answer", "id": "c", "status": 7}, "bad_message"),
        ({"type": "entendre.release.report", "attempt": -1}, "bad_message"),
        ({"type": "entendre.reboot"}, "invalid_value"),
    ],
)
def test_what_is_malformed_is_refused_by_name(document: Any, code: str) -> None:
    event = event_of(document | {"event_id": "e"})
    assert isinstance(event, client.Rejected)
    assert (event.code, event.event) == (code, "e")
    assert event.message.endswith(".")


def test_the_bound_counts_bytes() -> None:
    event = event_of(json.dumps({"type": "entendre.telemetry", "body": "é" * (200 * 1024)}, ensure_ascii=False))
    assert isinstance(event, client.Rejected)
    assert event.code == "message_too_long"


def test_an_escape_that_is_plain_text_is_taken() -> None:
    assert event_of('{"type": "entendre.telemetry", "body": "\\u00e9"}') == DeviceSaid(
        fleet.TelemetrySent((fleet.Measured("é"),))
    )
