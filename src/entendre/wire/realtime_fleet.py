"""Events of our own by which devices of the fleet say in a conversation what they say by MQTT.

`docs/fleet-devices.md` has them all; what is in them is read by `fleet_messages`.
"""

from __future__ import annotations

from dataclasses import dataclass

from entendre.wire import fleet_messages as fleet
from entendre.wire.failure import ProtocolFailed
from entendre.wire.realtime_checks import Json, Refused, string_at

COMMAND, DESIRED = "entendre.command", "entendre.twin.desired"
"""What a client opts in to by `session.include`; everything else is an answer."""
ANSWER = "entendre.command.answer"
KINDS = {
    "entendre.twin.get": "twin/get",
    "entendre.twin.report": "twin/reported",
    "entendre.telemetry": "telemetry",
    "entendre.release.report": "release",
}
"""The kinds of message that events are."""


@dataclass(frozen=True, slots=True)
class DeviceSaid:
    """A device of the fleet asks for something."""

    request: fleet.DeviceRequest


def device_event(kind: str, text: str, document: Json) -> DeviceSaid | None:
    """The event of a kind, None if it is none of these. Raises: Refused."""
    if kind == ANSWER:
        topic = f"commands/{string_at(document, 'id', '', limit=fleet.MAX_ID_CHARS)}/answer"
    elif kind in KINDS:
        topic = KINDS[kind]
    else:
        return None
    request = fleet.read_within(topic, text, document)
    if isinstance(request, ProtocolFailed):
        if request.code == "unknown_topic":
            raise Refused("invalid_value", "id must be a command's.", "id")
        raise Refused(request.code, f"{request.message[:1].upper()}{request.message[1:]}.")
    return DeviceSaid(request)
