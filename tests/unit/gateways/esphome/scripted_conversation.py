"""A scripted conversation, so that the gateway is tested without engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from entendre.session.api import DeviceLink, DeviceProfile, ListenMode


class ScriptedConversation:
    """Records what a gateway does; the test delivers the events itself."""

    def __init__(self, profile: DeviceProfile, link: DeviceLink) -> None:
        self.profile = profile
        self.link = link
        self.heard = bytearray()
        self.calls: list[tuple[object, ...]] = []
        self.woken: list[bool] = []
        self.closed = asyncio.Event()
        self.running = asyncio.Event()
        self.ended = False
        self.failure: Exception | None = None

    async def run(self) -> None:
        self.running.set()
        try:
            await self.closed.wait()
        finally:
            self.ended = True
        if self.failure is not None:
            raise self.failure

    def hear(self, pcm16: bytes) -> None:
        self.heard += pcm16

    def start_listening(self, mode: ListenMode | None = None, *, interrupts: bool = True, woken: bool = False) -> None:
        self.calls.append(("start_listening", mode))
        self.woken.append(woken)

    def stop_listening(self) -> None:
        self.calls.append(("stop_listening",))

    def clear_audio(self) -> None:
        self.calls.append(("clear_audio",))

    def respond(self, text: str | None = None) -> None:
        self.calls.append(("respond", text))

    def announce(self, text: str) -> None:
        self.calls.append(("announce", text))

    def cancel_reply(self) -> None:
        self.calls.append(("cancel_reply",))

    def played(self, reply: str, seconds: float) -> None:
        self.calls.append(("played", reply, seconds))

    def reconfigure(self, profile: DeviceProfile) -> None:
        self.calls.append(("reconfigure", profile))

    def close(self) -> None:
        self.closed.set()


class ScriptedFactory:
    """Opens scripted conversations and keeps them."""

    def __init__(self) -> None:
        self.opened: list[ScriptedConversation] = []
        self.prepare: Callable[[ScriptedConversation], None] = lambda conversation: None

    def open(self, profile: DeviceProfile, link: DeviceLink) -> ScriptedConversation:
        conversation = ScriptedConversation(profile, link)
        self.prepare(conversation)
        self.opened.append(conversation)
        return conversation
