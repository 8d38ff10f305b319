"""What a device can do itself, as actions of the home: its MCP tools, or what firmware up to 1.7 described."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol

from entendre.core.actions import Action, AdjustVolume, CallDeviceTool, SetMuted, SetVolume, StopSpeaking
from entendre.core.plan import ToolDefinition
from entendre.gateways.xiaozhi.dialogue import Outgoing
from entendre.session.api import DeviceProfile
from entendre.wire import xiaozhi_messages as wire
from entendre.wire.lenient import Json, compact, count_of, object_of, parse_object, text_of
from entendre.wire.mcp import CallFinished, McpClient, McpOutput, McpUnavailable, SendPayload, ToolsListed, Vision
from entendre.wire.mcp_content import CallResult
from entendre.wire.mcp_tools import DeviceTool, ToolAliases

log = logging.getLogger(__name__)

VOLUME_TOOL = "self.audio_speaker.set_volume"
STATUS_TOOL = "self.get_device_status"
OWN_TOOLS = frozenset({VOLUME_TOOL})
"""Tools that are the home's own actions, and so are not offered a second time."""
USUAL_PERCENT = 60
"""A speaker's volume as long as it does not say."""
STATUS_S = 2.0
"""How long a change of volume waits to learn the present one."""
_IOT_SPEAKER, _IOT_METHOD = "Speaker", "SetVolume"
_MAX_NAME_CHARS = 64


class Profiled(Protocol):
    """Whose tools they are: its profile says what it can do."""

    @property
    def profile(self) -> DeviceProfile:
        """As the conversation has it."""
        ...

    def reconfigure(self, profile: DeviceProfile) -> None:
        """Use another profile from the next turn on."""
        ...


class DeviceTools:
    """The tools of one channel's device."""

    def __init__(
        self,
        session: str,
        post: Callable[[Iterable[Outgoing]], None],
        dialogue: Profiled,
        clock: Callable[[], float],
        vision: Vision,
    ) -> None:
        self._session = session
        self._post = post
        self._dialogue = dialogue
        self._clock = clock
        self._client = McpClient(vision)
        self._aliases = ToolAliases(())
        self._calls: dict[str, asyncio.Future[CallResult]] = {}
        self._handles = 0
        self._has_volume = self._has_status = self._iot_volume = self._speaks_mcp = False
        self._muted_at: int | None = None
        self._learning: asyncio.Task[None] | None = None

    # From the device

    def start(self) -> None:
        """Ask for the tools."""
        self._speaks_mcp = True
        self._follow(self._client.start(self._clock()))

    def receive(self, payload: Json) -> None:
        """A message of the device's tool server."""
        self._follow(self._client.receive(payload, self._clock()))

    def report(self, reported: wire.IotReported) -> None:
        """What firmware up to 1.7 has, and how it is."""
        for thing in reported.descriptors:
            if text_of(thing, "name", _MAX_NAME_CHARS) == _IOT_SPEAKER and _IOT_METHOD in object_of(thing, "methods"):
                self._iot_volume = True
        for thing in reported.states:
            state = object_of(thing, "state")
            if text_of(thing, "name", _MAX_NAME_CHARS) == _IOT_SPEAKER and "volume" in state:
                self._note_volume(count_of(state, "volume", highest=100))

    def tick(self) -> None:
        """Give up calls that are overdue."""
        self._follow(self._client.tick(self._clock()))

    def stop(self) -> None:
        """The device is gone."""
        if self._learning is not None:
            self._learning.cancel()
        self._follow(self._client.stop())

    def sign_of_life(self) -> list[Outgoing]:
        """A message that changes nothing, for a device that would think it was forgotten."""
        if self._speaks_mcp:
            return [wire.mcp(self._session, {"jsonrpc": "2.0", "method": "notifications/message"})]
        return [wire.llm(self._session, "neutral")]

    # Actions

    async def perform(self, action: Action) -> bool | str:
        """Do an action of this device; False if it can't, a text if its tool answered with one."""
        match action:
            case SetVolume(percent):
                return await self._set_volume(percent)
            case AdjustVolume(delta):
                return await self._set_volume(await self._present_volume() + delta)
            case SetMuted(muted):
                return await self._mute(muted)
            case CallDeviceTool(tool, arguments):
                return await self._call_tool(tool, arguments)
            case StopSpeaking():
                return True
        return False

    async def _set_volume(self, percent: int) -> bool:
        percent = max(0, min(100, percent))
        if self._has_volume:
            if not (await self._call(VOLUME_TOOL, {"volume": percent})).ok:
                return False
        elif self._iot_volume:
            command = {"name": _IOT_SPEAKER, "method": _IOT_METHOD, "parameters": {"volume": percent}}
            self._post([wire.iot_commands(self._session, [command])])
        else:
            return False
        self._muted_at = None
        self._note_volume(percent)
        return True

    async def _mute(self, muted: bool) -> bool:
        if not muted:
            return self._muted_at is None or await self._set_volume(self._muted_at)
        before = await self._present_volume()
        if not await self._set_volume(0):
            return False
        self._muted_at = before or self._muted_at or USUAL_PERCENT
        return True

    async def _present_volume(self) -> int:
        """The volume that the device reports, else the last one known."""
        if self._muted_at is not None:
            return self._muted_at
        if self._has_status:
            await self._learn_volume(STATUS_S)
        known = self._dialogue.profile.volume
        return USUAL_PERCENT if known is None else known

    async def _learn_volume(self, timeout_s: float | None = None) -> None:
        status = parse_object((await self._call(STATUS_TOOL, {}, timeout_s)).text) or {}
        speaker = object_of(status, "audio_speaker")
        if "volume" in speaker:
            self._note_volume(count_of(speaker, "volume", highest=100))

    async def _call_tool(self, alias: str, arguments: str) -> bool | str:
        name = self._aliases.name(alias)
        try:
            values = json.loads(arguments)
        except (ValueError, RecursionError):
            return False
        if name is None or not isinstance(values, dict):
            return False
        result = await self._call(name, values)
        return (result.text or True) if result.ok else False

    async def _call(self, name: str, arguments: Json, timeout_s: float | None = None) -> CallResult:
        self._handles += 1
        handle = str(self._handles)
        done: asyncio.Future[CallResult] = asyncio.get_running_loop().create_future()
        self._calls[handle] = done
        try:
            self._follow(self._client.call(handle, name, arguments, self._clock(), timeout_s=timeout_s))
            return await done
        finally:
            del self._calls[handle]

    # At work

    def _follow(self, outputs: Iterable[McpOutput]) -> None:
        for output in outputs:
            match output:
                case SendPayload(payload):
                    self._post([wire.mcp(self._session, payload)])
                case CallFinished(handle, result):
                    waiting = self._calls.get(handle)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(result)
                case ToolsListed(tools):
                    self._offer(tools)
                case McpUnavailable(code):
                    log.info("device has no tools", extra={"device": self._dialogue.profile.device, "code": code})

    def _offer(self, tools: tuple[DeviceTool, ...]) -> None:
        names = {tool.name for tool in tools}
        self._has_volume, self._has_status = VOLUME_TOOL in names, STATUS_TOOL in names
        offered = [tool for tool in tools if tool.name not in OWN_TOOLS]
        self._aliases = ToolAliases(tool.name for tool in offered)
        definitions = tuple(
            ToolDefinition(self._aliases.alias(tool.name), tool.description, compact(tool.schema)) for tool in offered
        )
        profile = self._dialogue.profile
        names_offered = tuple(definition.name for definition in definitions)
        self._dialogue.reconfigure(replace(profile, tools=names_offered, tool_definitions=definitions))
        if self._has_status and self._learning is None:
            self._learning = asyncio.create_task(self._learn_volume())

    def _note_volume(self, percent: int) -> None:
        profile = self._dialogue.profile
        if profile.volume != percent:
            self._dialogue.reconfigure(replace(profile, volume=percent))
