"""One channel's conversation at work: whatever carries its messages and packets, the rest is here."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from entendre.core.actions import Action
from entendre.core.errors import EntendreError, OverloadedError
from entendre.gateways.xiaozhi.dialogue import Dialogue, Outgoing
from entendre.gateways.xiaozhi.downlink import AudioPacket
from entendre.gateways.xiaozhi.settings import ALIVE_EVERY_S, OUTBOX_LIMIT, XiaozhiSettings
from entendre.gateways.xiaozhi.tools import DeviceTools
from entendre.session.api import ConversationFactory, DeviceProfile, SessionEvent
from entendre.wire import xiaozhi_messages as wire
from entendre.wire.mcp import Vision

log = logging.getLogger(__name__)

WATCH_S = 0.5
"""How often it is looked whether the device may sleep, and whether its tools answer."""


class Channel(Protocol):
    """What carries a talk: a WebSocket, or MQTT with UDP."""

    async def send_text(self, text: str) -> None:
        """Send a JSON message. Raises: ConnectionError when the device is gone."""
        ...

    async def send_audio(self, packet: AudioPacket) -> None:
        """Send a packet of speech. Raises: ConnectionError when the device is gone."""
        ...


NextRing = Callable[[str], float | None]
"""Seconds until something rings on a device, None if nothing is to."""


class Talk:
    """Implements `DeviceLink` for one channel, from its hello until it is closed."""

    def __init__(
        self,
        channel: Channel,
        factory: ConversationFactory,
        profile: DeviceProfile,
        settings: XiaozhiSettings,
        *,
        session: str,
        hello: wire.Hello,
        clock: Callable[[], float],
        vision: Vision | None = None,
        next_ring_s: NextRing = lambda device: None,
        silence: Callable[[str], None] = lambda ring: None,
    ) -> None:
        """`session`: the id that hello's answer named; `silence` ends what rings. Raises: MissingExtraError."""
        self._channel = channel
        self._settings = settings
        self._session = session
        self._clock = clock
        self._next_ring_s = next_ring_s
        self._silence = silence
        self.dialogue = Dialogue(profile, session, settings, clock, cancels_echo=not hello.features.aec)
        self._conversation = factory.open(profile, self)
        self.dialogue.attach(self._conversation)
        self._tools = DeviceTools(session, self.post, self.dialogue, clock, vision or Vision())
        self._speaks_mcp = hello.features.mcp
        self._outbox: deque[Outgoing] = deque()
        self._more = asyncio.Event()
        self._sent = asyncio.Event()
        self._ending: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tail: asyncio.TimerHandle | None = None
        self._sent_at_s = clock()

    async def run(self) -> str:
        """Serve until the device may sleep, is gone, or `end` is called; why it ended.

        Reasons: `idle`, `elsewhere`, `closed`, `slow`, `no_audio`, an error's code, or what `end` was told.
        """
        tasks = [asyncio.create_task(work) for work in (self._converse(), self._write(), self._watch())]
        for task in tasks:
            task.add_done_callback(self._part_ended)
        if self._speaks_mcp:
            self._tools.start()
        try:
            return await self._ending
        finally:
            if self._tail is not None:
                self._tail.cancel()
            self._tools.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def end(self, reason: str) -> None:
        """Have `run` return; the first reason counts."""
        if not self._ending.done():
            self._ending.set_result(reason)

    # From the device

    def received(self, message: wire.DeviceMessage) -> None:
        """Follow a message; hello was the channel's own."""
        match message:
            case wire.McpMessage(payload):
                self._tools.receive(payload)
            case wire.IotReported():
                self._tools.report(message)
            case wire.Goodbye():
                self.end("closed")
            case _:
                self.post(self.dialogue.received(message))
                while self.dialogue.silenced:
                    self._silence(self.dialogue.silenced.pop())

    def hear_packet(self, opus: bytes, lost: int = 0, timestamp_ms: int = 0) -> None:
        """Follow a packet of the microphone; see `Dialogue.hear_packet`."""
        self.dialogue.hear_packet(opus, lost, timestamp_ms)
        if self.dialogue.uplink.broken:
            self.end("no_audio")

    # From the conversation

    async def deliver(self, event: SessionEvent) -> None:
        """Tell the device of an event, when it is ready for it. See `DeviceLink`."""
        if (wait_s := self.dialogue.wait_s(event)) > 0:
            await asyncio.sleep(wait_s)
        self.post(self.dialogue.deliver(event))
        self._flush_later()
        while self._outbox:
            self._sent.clear()
            await self._sent.wait()

    async def perform(self, action: Action) -> bool | str:
        """Do a device's action by its own tools. See `DeviceLink`."""
        return await self._tools.perform(action)

    # At work

    def post(self, items: Iterable[Outgoing]) -> None:
        """Send these behind what waits; a device that is told to stop at once needs no more audio."""
        items = list(items)
        if wire.tts_stop(self._session) in items and not any(isinstance(item, AudioPacket) for item in items):
            self._outbox = deque(item for item in self._outbox if not isinstance(item, AudioPacket))
        self._outbox.extend(items)
        if len(self._outbox) > OUTBOX_LIMIT:
            self.end("slow")
        self._more.set()

    async def _write(self) -> None:
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                while self._outbox:
                    await self._send(self._outbox.popleft())
                self._sent.set()
        except (TimeoutError, ConnectionError):
            self.end("slow")

    async def _send(self, item: Outgoing) -> None:
        async with asyncio.timeout(self._settings.send_s):
            if isinstance(item, AudioPacket):
                await self._channel.send_audio(item)
            else:
                await self._channel.send_text(item)
        self._sent_at_s = self._clock()

    def _flush_later(self) -> None:
        """Send the end of a sentence when the device is about to have played everything before it."""
        if self._tail is not None:
            self._tail.cancel()
        wait_s = self.dialogue.downlink.flush_in_s()
        loop = asyncio.get_running_loop()
        self._tail = loop.call_later(wait_s, self._flush) if wait_s is not None else None

    def _flush(self) -> None:
        self.post(self.dialogue.flush())

    async def _converse(self) -> None:
        """Task root: a conversation that breaks ends its own channel only."""
        reason = "closed"
        try:
            await self._conversation.run()
        except EntendreError as error:
            reason = "slow" if isinstance(error, OverloadedError) else error.code
            log.info("conversation ended", extra={"device": self.dialogue.profile.device, "code": error.code})
        except Exception:
            reason = EntendreError.code
            log.exception("conversation failed", extra={"device": self.dialogue.profile.device})
        self.end(reason)

    def _part_ended(self, task: asyncio.Task[None]) -> None:
        """A part that died of a bug ends the channel: half a talk would hang."""
        if not task.cancelled() and task.exception() is not None:
            log.error("channel failed", exc_info=task.exception(), extra={"device": self.dialogue.profile.device})
            self.end(EntendreError.code)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            self._tools.tick()
            if self.dialogue.done and not self._outbox:
                ring_s = self._next_ring_s(self.dialogue.profile.device)
                if self.dialogue.elsewhere or ring_s is None or ring_s > self._settings.hold_for_rings_s:
                    self.end("elsewhere" if self.dialogue.elsewhere else "idle")
            if self._clock() - self._sent_at_s > ALIVE_EVERY_S:
                self.post(self._tools.sign_of_life())
