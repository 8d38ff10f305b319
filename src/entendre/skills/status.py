"""What a device reports of itself, from its status tool's JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

_FULL_PERCENT = 100


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """The parts of a status that people ask for; None where the device says nothing of it."""

    volume: int | None = None
    screen_brightness: int | None = None
    battery: int | None = None
    charging: bool = False


def parse_status(answer: str) -> DeviceStatus | None:
    """The status in a tool's answer; None if it is none. Source: `GetDeviceStatusJson` of xiaozhi firmware."""
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    battery = _part(document, "battery")
    return DeviceStatus(
        _percent(_part(document, "audio_speaker").get("volume")),
        _percent(_part(document, "screen").get("brightness")),
        _percent(battery.get("level")),
        battery.get("charging") is True,
    )


def _part(document: dict[str, Any], name: str) -> dict[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _percent(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _FULL_PERCENT:
        return None
    return round(value)
