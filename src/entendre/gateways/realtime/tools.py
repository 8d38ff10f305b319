"""Device actions as function calls, and their outputs as success or failure. Documented in docs/realtime.md."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from entendre.core.actions import Action, AdjustVolume, CallDeviceTool, ControlMedia, SetMuted, SetVolume


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function of the client and its arguments, a JSON object as text."""

    name: str
    arguments: str


def call_of(action: Action, tools: Iterable[str]) -> FunctionCall | None:
    """The call that carries out an action, None if the client registered no such tool."""
    values: dict[str, object]
    match action:
        case SetVolume(percent=percent):
            name, values = "set_volume", {"percent": percent}
        case AdjustVolume(delta=delta):
            name, values = "adjust_volume", {"delta": delta}
        case SetMuted(muted=muted):
            name, values = "set_muted", {"muted": muted}
        case ControlMedia(command=command, query=query, appliance=None, url=url):
            name, values = "control_media", {"command": command}
            values |= {key: value for key, value in (("query", query), ("url", url)) if value is not None}
        case CallDeviceTool(tool=tool, arguments=arguments):
            return FunctionCall(tool, arguments) if tool in tools else None
        case _:
            return None
    return FunctionCall(name, json.dumps(values, ensure_ascii=False)) if name in tools else None


def succeeded(output: str) -> bool:
    """Whether a tool's output reports success: anything but an `error`, `"success": false` or `"ok": false`."""
    try:
        document = json.loads(output)
    except (ValueError, RecursionError):
        return True
    if not isinstance(document, dict):
        return document is not False
    return not document.get("error") and document.get("success") is not False and document.get("ok") is not False
