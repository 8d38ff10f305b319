"""The tools of a simulated xiaozhi speaker, answered as the firmware answers them.

Source: xiaozhi-esp32 2.4.2 `mcp_server.cc`: pages of 8000 bytes, numeric ids only, errors without a code.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

PAGE_BYTES = 8000


def _tool(name: str, description: str, *, audience: str = "", **properties: dict[str, Any]) -> dict[str, Any]:
    required = [key for key, schema in properties.items() if "default" not in schema]
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    tool = {
        "name": name,
        "description": description,
        "inputSchema": schema | ({"required": required} if required else {}),
    }
    return tool | ({"annotations": {"audience": [audience]}} if audience else {})


_PERCENT = {"type": "integer", "minimum": 0, "maximum": 100}
COMMON_TOOLS = (
    _tool("self.get_device_status", "Provides the real-time information of the device"),
    _tool("self.audio_speaker.set_volume", "Set the volume of the audio speaker", volume=_PERCENT),
    _tool("self.screen.set_brightness", "Set the brightness of the screen", brightness=_PERCENT),
)
USER_TOOLS = (
    _tool("self.reboot", "Reboot the system", audience="user"),
    _tool("self.upgrade_firmware", "Upgrade firmware from a URL", audience="user", url={"type": "string"}),
)


@dataclass(slots=True)
class DeviceTools:
    """What the speaker can do, and what it was told to do."""

    volume: int = 70
    brightness: int = 50
    page_bytes: int = PAGE_BYTES
    vision: dict[str, Any] = field(default_factory=dict)
    called: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    listed: int = 0

    def answer(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """What it sends back, if anything."""
        number, method, params = request.get("id"), str(request.get("method", "")), request.get("params") or {}
        if request.get("jsonrpc") != "2.0" or method.startswith("notifications"):
            return None
        if not isinstance(number, int | float):
            return None  # the firmware drops ids that are no numbers
        head = {"jsonrpc": "2.0", "id": number}
        match method:
            case "initialize":
                self.vision = dict(params.get("capabilities", {}).get("vision", {}))
                server = {"name": "esp-box-3", "version": "2.4.2"}
                result = {"protocolVersion": "2024-11-05", "capabilities": {"tools": {}}, "serverInfo": server}
            case "tools/list":
                result = self._page(str(params.get("cursor", "")), bool(params.get("withUserTools")))
            case "tools/call":
                return head | self._call(str(params.get("name", "")), params.get("arguments") or {})
            case _:
                return head | {"error": {"message": f"Method not implemented: {method}"}}
        return head | {"result": result}

    def _page(self, cursor: str, with_user_tools: bool) -> dict[str, Any]:
        tools = [*COMMON_TOOLS, *(USER_TOOLS if with_user_tools else ())]
        names = [tool["name"] for tool in tools]
        page: list[dict[str, Any]] = []
        for tool in tools[names.index(cursor) if cursor in names else 0 :]:
            if page and len(json.dumps([*page, tool])) > self.page_bytes:
                return {"tools": page, "nextCursor": tool["name"]}
            page.append(tool)
        self.listed += 1
        return {"tools": page}

    def _call(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        tool = next((each for each in (*COMMON_TOOLS, *USER_TOOLS) if each["name"] == name), None)
        if tool is None:
            return {"error": {"message": f"Unknown tool: {name}"}}
        for key in tool["inputSchema"].get("required", ()):
            if not isinstance(arguments.get(key), int if key in ("volume", "brightness") else str):
                return {"error": {"message": f"Missing valid argument: {key}"}}
        self.called.append((name, arguments))
        self.volume = arguments.get("volume", self.volume)
        self.brightness = arguments.get("brightness", self.brightness)
        text = "true"
        if name == "self.get_device_status":
            status = {"audio_speaker": {"volume": self.volume}, "screen": {"brightness": self.brightness}}
            text = json.dumps(status | {"battery": {"level": 80, "charging": False}})
        return {"result": {"content": [{"type": "text", "text": text}], "isError": False}}
