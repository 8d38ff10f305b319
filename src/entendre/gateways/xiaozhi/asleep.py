"""A device that is connected but has no audio channel: what would be said to it is shown, until it is spoken to.

Speech can't be pushed to a sleeping device. It shows an alert and buzzes; when its channel opens, what rings is heard.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from entendre.core.actions import Action
from entendre.core.errors import EntendreError
from entendre.gateways.xiaozhi.downlink import AudioPacket
from entendre.gateways.xiaozhi.talk import Talk
from entendre.gateways.xiaozhi.tools import DeviceTools
from entendre.session.api import (
    ConversationFactory,
    DeviceProfile,
    ReplyStarted,
    RingStarted,
    RingStopped,
    SessionEvent,
)
from entendre.wire import xiaozhi_messages as wire
from entendre.wire.mcp import START_TIMEOUT_S, Vision

log = logging.getLogger(__name__)

TICK_S = 0.2
"""How often it is looked whether a tool of the device is overdue, while one is called."""
NO_SESSION = ""
"""Messages of no channel name none; the firmware compares it in goodbye alone."""


class Asleep:
    """Implements `DeviceLink` for as long as the control link lasts; silent while there is a talk."""

    def __init__(
        self,
        factory: ConversationFactory,
        profile: DeviceProfile,
        *,
        title: str,
        send: Callable[[str], bool],
        talk: Callable[[], Talk | None],
        clock: Callable[[], float],
        vision: Vision,
    ) -> None:
        """`profile` has no sound; `title` heads every alert; `send` pushes a message; `talk` is that of the channel."""
        self.profile = profile
        self._title = title
        self._send = send
        self._talk = talk
        self._tools = DeviceTools(NO_SESSION, self._post, self, clock, vision)
        self._listed: asyncio.Event | None = None
        self._rings: dict[str, str] = {}
        self._text = ""
        self._conversation = factory.open(profile, self)

    async def run(self) -> None:
        """Be there for rings and announcements until cancelled. A task root: what breaks ends this alone."""
        try:
            await self._conversation.run()
        except EntendreError as error:
            log.info("sleeping device ended", extra={"device": self.profile.device, "code": error.code})
        except Exception:
            log.exception("sleeping device failed", extra={"device": self.profile.device})
        finally:
            self._tools.stop()

    def reconfigure(self, profile: DeviceProfile) -> None:
        """The device told of its tools or its volume."""
        self.profile = profile
        self._conversation.reconfigure(profile)
        if self._listed is not None:
            self._listed.set()

    # From the device

    def received(self, message: wire.McpMessage | wire.IotReported) -> None:
        """What its tools answer."""
        if isinstance(message, wire.IotReported):
            self._tools.report(message)
        else:
            self._tools.receive(message.payload)

    # From the conversation

    async def deliver(self, event: SessionEvent) -> None:
        """Show what would be said. See `DeviceLink`."""
        match event:
            case RingStarted(ring, _, name):
                self._rings[ring] = name or self._title
            case RingStopped(ring):
                self._rings.pop(ring, None)
            case ReplyStarted(text=text):
                self._text = text or self._text  # a ring repeats its tone more often than its words
                self._alert()

    async def perform(self, action: Action) -> bool | str:
        """Do a device's action by its tools, which it offers asleep too. See `DeviceLink`."""
        talk = self._talk()
        if talk is not None:
            return await talk.perform(action)
        ticking = asyncio.create_task(self._tick())
        try:
            await self._learn_tools()
            return await self._tools.perform(action)
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    def _alert(self) -> None:
        if self._talk() is None and self._text:
            title = next(iter(self._rings.values()), self._title)
            self._send(wire.alert(NO_SESSION, title, self._text))

    async def _learn_tools(self) -> None:
        """Ask a device for its tools when the first is needed; one that does not answer has none."""
        if self._listed is not None:
            return
        self._listed = asyncio.Event()
        self._tools.start()
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._listed.wait()
        except TimeoutError:
            self._listed = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._tools.tick()

    def _post(self, items: Iterable[str | AudioPacket]) -> None:
        for item in items:
            if isinstance(item, str):
                self._send(item)
