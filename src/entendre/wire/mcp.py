"""A client of the tool server that a device is (Model Context Protocol), without input, output or clock.

Source: xiaozhi-esp32 2.4.2 `mcp_server.cc`, and the protocol's revision 2024-11-05. Ids are numbers; tool calls run one
at a time on the device's main task; a device's errors carry only a message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from entendre.wire.lenient import Json, object_of, text_of
from entendre.wire.mcp_content import CallResult, failed_result, read_result
from entendre.wire.mcp_tools import DeviceTool, is_user_only, read_tools

PROTOCOL_VERSION = "2024-11-05"
MAX_PAGES = 32
MAX_TOOLS = 128
MAX_TOOLS_BYTES = 256 * 1024
MAX_WAITING_CALLS = 16
MAX_ID = 2**31 - 1
MAX_CURSOR_CHARS = 256
START_TIMEOUT_S = 10.0
CALL_TIMEOUT_S = 10.0
CAMERA_TIMEOUT_S = 30.0
CAMERA_TOOL = "self.camera.take_photo"

_MAX_NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class SendPayload:
    """A JSON-RPC message for the device."""

    payload: Json


@dataclass(frozen=True, slots=True)
class ServerKnown:
    """The device's tool server introduced itself."""

    name: str
    version: str


@dataclass(frozen=True, slots=True)
class ToolsListed:
    """Every tool that may be offered to a language model; those of its owner are not among them."""

    tools: tuple[DeviceTool, ...]


@dataclass(frozen=True, slots=True)
class CallFinished:
    """A call that was asked for is over; `handle` is the caller's own name of it."""

    handle: str
    result: CallResult


@dataclass(frozen=True, slots=True)
class McpUnavailable:
    """The device's tool server did not start; `code` says why."""

    code: str


McpOutput = SendPayload | ServerKnown | ToolsListed | CallFinished | McpUnavailable


@dataclass(frozen=True, slots=True)
class Vision:
    """Where the device sends its pictures. xiaozhi-sdk needs both strings, even if there is nothing."""

    url: str = ""
    token: str = ""


class _Stage(Enum):
    NEW = auto()
    INITIALIZING = auto()
    LISTING = auto()
    READY = auto()
    UNAVAILABLE = auto()


@dataclass(frozen=True, slots=True)
class _Call:
    handle: str
    name: str
    arguments: Mapping[str, Any]
    timeout_s: float


@dataclass(slots=True)
class _Listing:
    tools: dict[str, DeviceTool] = field(default_factory=dict)
    pages: int = 0
    used_bytes: int = 0


class McpClient:
    """One device's tool server. Every method returns what to do; times are seconds of the caller's clock."""

    def __init__(self, vision: Vision, client_name: str = "entendre", client_version: str = "1.0") -> None:
        self._vision = vision
        self._client = {"name": client_name, "version": client_version}
        self._stage = _Stage.NEW
        self._asked_id: int | None = None
        self._deadline_s: float | None = None
        self._last_id = 0
        self._listing = _Listing()
        self._call: _Call | None = None
        self._waiting: deque[_Call] = deque()

    @property
    def ready(self) -> bool:
        """Whether all tools are listed."""
        return self._stage is _Stage.READY

    @property
    def deadline_s(self) -> float | None:
        """When `tick` must be called at the latest; None while nothing is awaited."""
        return self._deadline_s

    @property
    def tools(self) -> tuple[DeviceTool, ...]:
        """What `ToolsListed` told."""
        return tuple(tool for tool in self._listing.tools.values() if not tool.user_only) if self.ready else ()

    def start(self, now_s: float) -> list[McpOutput]:
        """Introduces us to the device; again after a reconnection."""
        outputs = self.stop()
        self._listing = _Listing()
        self._stage = _Stage.INITIALIZING
        vision = {"url": self._vision.url, "token": self._vision.token}
        params = {"protocolVersion": PROTOCOL_VERSION, "capabilities": {"vision": vision}, "clientInfo": self._client}
        return [*outputs, self._ask("initialize", params, now_s + START_TIMEOUT_S)]

    def stop(self) -> list[McpOutput]:
        """The device is gone: every call that is under way or waiting has failed."""
        calls = [self._call, *self._waiting] if self._call else list(self._waiting)
        self._call = None
        self._waiting.clear()
        self._forget()
        self._stage = _Stage.UNAVAILABLE
        return [CallFinished(call.handle, failed_result("unavailable")) for call in calls]

    def call(
        self,
        handle: str,
        name: str,
        arguments: Mapping[str, Any],
        now_s: float,
        *,
        timeout_s: float | None = None,
        by_owner: bool = False,
    ) -> list[McpOutput]:
        """Calls a tool once those before are over. A tool of the owner is refused unless the owner asked for it."""
        if is_user_only(name) and not by_owner:
            return [CallFinished(handle, failed_result("not_allowed"))]
        if self._stage is not _Stage.READY:
            return [CallFinished(handle, failed_result("unavailable"))]
        listed = self._listing.tools.get(name)
        if listed is not None and listed.user_only and not by_owner:
            return [CallFinished(handle, failed_result("not_allowed"))]
        if len(self._waiting) >= MAX_WAITING_CALLS:
            return [CallFinished(handle, failed_result("overloaded"))]
        allowed_s = timeout_s or (CAMERA_TIMEOUT_S if name == CAMERA_TOOL else CALL_TIMEOUT_S)
        self._waiting.append(_Call(handle, name, arguments, allowed_s))
        return self._next_call(now_s)

    def receive(self, payload: Json, now_s: float) -> list[McpOutput]:
        """A message of the device. Never raises on it; what was not asked for is ignored."""
        if self._asked_id is None or not _is_answer(payload, self._asked_id):
            return []
        self._forget()
        if self._stage is _Stage.INITIALIZING:
            return self._initialized(payload, now_s)
        if self._stage is _Stage.LISTING:
            return self._listed(payload, now_s)
        return self._finish(read_result(payload), now_s)

    def tick(self, now_s: float) -> list[McpOutput]:
        """Gives up what is overdue."""
        if self._deadline_s is None or now_s < self._deadline_s:
            return []
        self._forget()
        if self._stage is _Stage.READY:
            return self._finish(failed_result("timeout"), now_s)
        if self._listing.pages:
            return self._close_listing()
        return self._unavailable("timeout")

    def _initialized(self, payload: Json, now_s: float) -> list[McpOutput]:
        if "result" not in payload:
            return self._unavailable("refused")
        about = object_of(object_of(payload, "result"), "serverInfo")
        known = ServerKnown(text_of(about, "name", _MAX_NAME_CHARS), text_of(about, "version", _MAX_NAME_CHARS))
        self._stage = _Stage.LISTING
        notice = SendPayload({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return [known, notice, self._ask_for_tools("", now_s)]

    def _listed(self, payload: Json, now_s: float) -> list[McpOutput]:
        """A page of tools; a device that never stops listing is cut off with what it has told."""
        result, listing = object_of(payload, "result"), self._listing
        page = read_tools(result, MAX_TOOLS - len(listing.tools), MAX_TOOLS_BYTES - listing.used_bytes)
        new = [tool for tool in page if tool.name not in listing.tools]
        listing.tools |= {tool.name: tool for tool in new}
        listing.used_bytes += sum(tool.size_bytes for tool in new)
        listing.pages += 1
        cursor = text_of(result, "nextCursor", MAX_CURSOR_CHARS)
        if cursor and new and listing.pages < MAX_PAGES and len(listing.tools) < MAX_TOOLS:
            return [self._ask_for_tools(cursor, now_s)]
        return self._close_listing()

    def _close_listing(self) -> list[McpOutput]:
        self._stage = _Stage.READY
        return [ToolsListed(self.tools)]

    def _ask_for_tools(self, cursor: str, now_s: float) -> SendPayload:
        return self._ask("tools/list", {"cursor": cursor, "withUserTools": False}, now_s + START_TIMEOUT_S)

    def _unavailable(self, code: str) -> list[McpOutput]:
        self._stage = _Stage.UNAVAILABLE
        return [McpUnavailable(code)]

    def _finish(self, result: CallResult, now_s: float) -> list[McpOutput]:
        call, self._call = self._call, None
        assert call is not None
        return [CallFinished(call.handle, result), *self._next_call(now_s)]

    def _next_call(self, now_s: float) -> list[McpOutput]:
        if self._call is not None or not self._waiting:
            return []
        self._call = call = self._waiting.popleft()
        params = {"name": call.name, "arguments": dict(call.arguments)}
        return [self._ask("tools/call", params, now_s + call.timeout_s)]

    def _ask(self, method: str, params: Json, deadline_s: float) -> SendPayload:
        self._last_id = self._asked_id = self._last_id % MAX_ID + 1
        self._deadline_s = deadline_s
        return SendPayload({"jsonrpc": "2.0", "id": self._asked_id, "method": method, "params": params})

    def _forget(self) -> None:
        self._asked_id = self._deadline_s = None


def _is_answer(payload: Json, asked_id: int) -> bool:
    given = payload.get("id")
    same = str(asked_id) == given if isinstance(given, str) else given == asked_id and not isinstance(given, bool)
    return same and "method" not in payload
