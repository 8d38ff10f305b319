"""Conversations of devices that proved who they are, as links: presence, commands and the volume of the twin.

Whatever protocol is spoken, a conversation can do a device's own actions: it sets the volume, and calls its tools. What
speaks the fleet's own messages too has a link of its own beside this one, which has a higher rank and so comes first.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from entendre.core.actions import Action, CallDeviceTool, SetMuted, SetVolume
from entendre.core.errors import EntendreError, OfflineError
from entendre.ports.commands import CommandAnswer, CommandRecord
from entendre.ports.fleet_twins import TwinPatch, TwinRecord
from entendre.ports.links import ACTS, DeviceLinks

log = logging.getLogger(__name__)

CALL_S = 30.0
"""How long a tool of a device may take for a queued command."""
DONE, UNKNOWN, FAILED = 200, 404, 500
APPLIED = "applied_version"
"""The member of the reported section that says up to which version of the desired one its volume was set."""

_NOT_IN_TOOL = re.compile(r"[^A-Za-z0-9_-]")
"""Tools go by names that language models accept: self_led_set_color for self.led.set_color."""

BrandOf = Callable[[str], Awaitable[str | None]]


class Performer(Protocol):
    """What does a device's own actions."""

    async def perform(self, action: Action) -> bool | str:
        """Do an action; False if the device can't, a text if it answered with one."""
        ...


class Inbox(Protocol):
    """What keeps the answers to queued commands."""

    async def answered(self, device: str, command: str, answer: CommandAnswer) -> object | None:
        """Keep an answer; durable when it returns."""
        ...


class Twins(Protocol):
    """The twins, as far as a link needs them."""

    async def get(self, brand: str, device: str) -> TwinRecord:
        """A whole twin. Raises: NotFoundError."""
        ...

    async def patch(self, patch: TwinPatch, *, by: str) -> object:
        """Change a section. Raises: EntendreError."""
        ...


class Conversations:
    """Attaches a link for each conversation. `close` once all have ended."""

    def __init__(self, links: DeviceLinks, inbox: Inbox, twins: Twins, brand_of: BrandOf) -> None:
        self._links = links
        self._inbox = inbox
        self._twins = twins
        self._brand_of = brand_of
        self._tasks: set[asyncio.Task[None]] = set()

    def came(self, device: str, performer: Performer) -> Callable[[], None]:
        """A conversation of a device opened; returns what to call when it ends."""
        link = ConversationLink(device, performer, self._inbox, self._twins, self.start)
        attaching = self.start(self._attach(device, link))

        def left() -> None:
            attaching.cancel()
            link.end()

        return left

    def start(self, work: Any) -> asyncio.Task[None]:
        """Keep a task until it is done; what it raises is logged."""
        task: asyncio.Task[None] = asyncio.create_task(work, name="fleet-conversation")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def settle(self) -> None:
        """Wait until what was begun is done."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Leave nothing running."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _attach(self, device: str, link: ConversationLink) -> None:
        brand = await self._brand_of(device)
        if brand is not None:
            link.brand = brand
            link.detach = self._links.attach(device, brand, link, replaces=False)
            await link.catch_up()

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, EntendreError):
            log.info("a device's conversation has no link", extra={"code": error.code})
        elif error is not None:
            log.error("a device's conversation has no link", exc_info=error)


class ConversationLink:
    """Implements `ports.links.CommandLink` over the actions of a conversation."""

    kind = "conversation"
    rank = ACTS

    def __init__(
        self,
        device: str,
        performer: Performer,
        inbox: Inbox,
        twins: Twins,
        start: Callable[[Any], asyncio.Task[None]],
    ) -> None:
        self._device = device
        self._performer = performer
        self._inbox = inbox
        self._twins = twins
        self._start = start
        self._ended = False
        self._following = asyncio.Lock()
        self._seen: int | None = None  # the version up to which the desired section was looked at; None: not at all
        self.brand = ""
        self.detach: Callable[[], None] = lambda: None

    async def call(self, command: str, name: str, payload: Any, timeout_s: float) -> CommandAnswer:
        """Have the device do something now, by its own action or its tool. Raises: OfflineError."""
        if self._ended:
            raise OfflineError("The device is not connected.")
        action = action_of(name, payload)
        if action is None:
            return CommandAnswer(UNKNOWN, {"error": "This device takes commands with an object as payload."})
        done = await self._performer.perform(action)
        if done is False:
            return CommandAnswer(UNKNOWN, {"error": "The device has no such tool, or it failed."})
        return CommandAnswer(DONE, None if done is True else result_of(str(done)))

    async def deliver(self, command: CommandRecord) -> None:
        """Do a queued command and keep its answer: tools of devices know no ids. Raises: OfflineError, StoreError."""
        async with asyncio.timeout(CALL_S):
            answer = await self.call(command.id, command.name, json.loads(command.payload), CALL_S)
        await self._inbox.answered(self._device, command.id, answer)

    def desired(self, patch: Any, version: int, *, replaces: bool) -> None:
        """The desired section changed: set the volume that it names."""
        if isinstance(patch, dict) and not self._ended:
            self._start(self._follow(patch, version))

    def close(self, reason: str) -> None:
        """Nothing: its gateway ends a conversation of a device that may not stay, and several may overlap."""

    def end(self) -> None:
        """The conversation is over."""
        self._ended = True
        self.detach()

    async def catch_up(self) -> None:
        """Set what was wanted while the device was away. Raises: EntendreError."""
        async with self._following:
            await self._look()

    async def _follow(self, patch: dict[str, Any], version: int) -> None:
        """Apply a change in its turn: one that came first would pass for all that was wanted before it."""
        async with self._following:
            if self._seen is None:
                await self._look()
            elif version > self._seen:
                await self._apply(patch, version)
                self._seen = version

    async def _look(self) -> None:
        twin = await self._twins.get(self.brand, self._device)
        reported = twin.reported.get(APPLIED, 0)
        if twin.desired_version > (reported if isinstance(reported, int) else 0):
            await self._apply(twin.desired, twin.desired_version)
        self._seen = twin.desired_version

    async def _apply(self, wanted: dict[str, Any], version: int) -> None:
        done: dict[str, Any] = {}
        for name in ("volume", "muted"):
            action = action_of(f"set_{name}", {"percent": wanted.get(name), name: wanted.get(name)})
            if name in wanted and isinstance(action, SetVolume | SetMuted) and await self._performer.perform(action):
                done[name] = wanted[name]
        if done:
            patch = TwinPatch(self.brand, self._device, "reported", {**done, APPLIED: version})
            await self._twins.patch(patch, by=f"device:{self._device}")


def action_of(name: str, payload: Any) -> Action | None:
    """The action that a command asks for; a tool of the device for every name that is none."""
    values = {} if payload is None else payload
    if not isinstance(values, dict):
        return None
    match name:
        case "set_volume":
            percent = values.get("percent")
            fits = isinstance(percent, int) and not isinstance(percent, bool) and 0 <= percent <= 100
            return SetVolume(percent) if fits and isinstance(percent, int) else None
        case "set_muted":
            muted = values.get("muted")
            return SetMuted(muted) if isinstance(muted, bool) else None
        case _:
            return CallDeviceTool(_NOT_IN_TOOL.sub("_", name), json.dumps(values, ensure_ascii=False))


def result_of(text: str) -> Any:
    """What a tool answered, as JSON if it is some."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
