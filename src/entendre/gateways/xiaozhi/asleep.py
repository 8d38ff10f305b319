"""A device that is connected but has no audio channel: what would be said to it is shown, until it is spoken to.

Speech can't be pushed to a sleeping device. It shows an alert and buzzes; when its channel opens, what rings is heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from entendre.core.actions import Action
from entendre.core.errors import EntendreError, HouseholdChangedError
from entendre.gateways.xiaozhi.downlink import AudioPacket
from entendre.gateways.xiaozhi.talk import Talk
from entendre.gateways.xiaozhi.tools import DeviceTools
from entendre.session.api import (
    Conversation,
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
TOOLS_LIFE_S = 1800.0
"""How long what a device was told of our camera endpoint is used; it holds for an hour."""
NO_SESSION = ""
"""Messages of no channel name none; the firmware compares it in goodbye alone."""


class Asleep:
    """Implements `DeviceLink`; lasts as long as the control link, with a conversation that stands in for talks."""

    def __init__(
        self,
        factory: ConversationFactory,
        profile: DeviceProfile,
        *,
        title: str,
        send: Callable[[str], bool],
        talk: Callable[[], Talk | None],
        clock: Callable[[], float],
        vision: Callable[[], Vision],
    ) -> None:
        """`profile` is the device's; `title` heads every alert; `send` pushes a message; `talk`: the channel's."""
        self.profile = replace(profile, replies_aloud=False, stands_in=True)
        self._title = title
        self._send = send
        self._talk = talk
        self._clock = clock
        self._vision = vision
        self._tools: DeviceTools | None = None
        self._learnt_at_s = 0.0
        self._listed = asyncio.Event()
        self._rings: dict[str, str] = {}
        self._text = ""
        self._factory = factory
        self._conversation: Conversation | None = None

    async def run(self) -> None:
        """Be there for rings and announcements until cancelled. A task root: what breaks ends this alone."""
        while await self._converse():
            log.info("sleeping device has moved", extra={"device": self.profile.device})

    async def _converse(self) -> bool:
        """One conversation; whether there is to be another, in the household that the device is in now."""
        self._rings.clear()
        conversation = self._conversation = self._factory.open(self.profile, self)
        try:
            await conversation.run()
        except HouseholdChangedError:
            return True
        except EntendreError as error:
            log.info("sleeping device ended", extra={"device": self.profile.device, "code": error.code})
        except Exception:
            log.exception("sleeping device failed", extra={"device": self.profile.device})
        finally:
            if self._conversation is conversation:
                self._conversation = None
        return False

    def gone(self) -> None:
        """The control link is down."""
        if self._tools is not None:
            self._tools.stop()

    def reconfigure(self, profile: DeviceProfile) -> None:
        """The device told of its tools or its volume."""
        self._become(profile)
        self._listed.set()

    def known_as(self, title: str, *, room: str | None, language: str) -> None:
        """What the device is called, where it stands and what it speaks, all of which may have changed."""
        self._title = title
        self._become(replace(self.profile, room=room, language=language))

    def _become(self, profile: DeviceProfile) -> None:
        if profile == self.profile:
            return
        self.profile = profile
        if self._conversation is not None:
            self._conversation.reconfigure(profile)

    # From the device

    def received(self, message: wire.McpMessage | wire.IotReported) -> None:
        """What its tools answer."""
        if self._tools is None:
            return
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
        tools = self._tools_now()
        ticking = asyncio.create_task(_tick(tools))
        try:
            await self._until_listed()
            return await tools.perform(action)
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    def _alert(self) -> None:
        if self._text:
            title = next(iter(self._rings.values()), self._title)
            self._send(wire.alert(NO_SESSION, title, self._text))

    def _tools_now(self) -> DeviceTools:
        """The device's tools, asked for when the first is needed, and again before the camera's permission ends."""
        now_s = self._clock()
        if self._tools is None or now_s - self._learnt_at_s > TOOLS_LIFE_S:
            if self._tools is not None:
                self._tools.stop()
            self._tools = DeviceTools(NO_SESSION, self._post, self, self._clock, self._vision())
            self._learnt_at_s = now_s
            self._listed.clear()
            self._tools.start()
        return self._tools

    async def _until_listed(self) -> None:
        """Wait for the list of tools; a device that does not tell has none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._listed.wait()

    def _post(self, items: Iterable[str | AudioPacket]) -> None:
        for item in items:
            if isinstance(item, str):
                self._send(item)


async def _tick(tools: DeviceTools) -> None:
    while True:
        await asyncio.sleep(TICK_S)
        tools.tick()
