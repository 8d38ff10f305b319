"""A conversation that does what a test tells it, behind the session's interface."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from entendre.gateways.realtime import RealtimeGateway, RealtimeSettings
from entendre.session.api import DeviceLink, DeviceProfile, ListenMode


@dataclass
class ScriptedConversation:
    """Records what the gateway asks for; `on` maps a call's name to what happens then."""

    profile: DeviceProfile
    link: DeviceLink
    on: dict[str, Callable[..., Awaitable[None]]]
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    heard: bytes = b""
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None

    def _call(self, name: str, *values: Any) -> None:
        self.calls.append((name, *values))
        if name in self.on:
            task = asyncio.get_running_loop().create_task(self.on[name](self, *values))
            self.tasks.add(task)

    async def run(self) -> None:
        try:
            await self.closing.wait()
            if self.failure:
                raise self.failure
        finally:
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)

    def hear(self, pcm16: bytes) -> None:
        self.heard += pcm16
        if "hear" in self.on:
            self._call("hear", len(self.heard))

    def start_listening(self, mode: ListenMode | None = None, *, interrupts: bool = True) -> None:
        self._call("start_listening", mode)

    def stop_listening(self) -> None:
        self._call("stop_listening")

    def clear_audio(self) -> None:
        self._call("clear_audio")

    def respond(self, text: str | None = None) -> None:
        self._call("respond", text)

    def announce(self, text: str) -> None:
        self._call("announce", text)

    def cancel_reply(self) -> None:
        self._call("cancel_reply")

    def played(self, reply: str, seconds: float) -> None:
        self._call("played", reply, seconds)

    def reconfigure(self, profile: DeviceProfile) -> None:
        self.profile = profile
        self._call("reconfigure", profile)

    def close(self) -> None:
        self.closing.set()


@dataclass
class ScriptedFactory:
    """Opens scripted conversations and keeps them for the test to look at."""

    on: dict[str, Callable[..., Awaitable[None]]] = field(default_factory=dict)
    opened: list[ScriptedConversation] = field(default_factory=list)

    def open(self, profile: DeviceProfile, link: DeviceLink) -> ScriptedConversation:
        conversation = ScriptedConversation(profile, link, self.on)
        self.opened.append(conversation)
        return conversation


@dataclass
class Served:
    """A gateway on a real socket."""

    factory: ScriptedFactory
    gateway: RealtimeGateway
    port: int

    @property
    def conversation(self) -> ScriptedConversation:
        return self.factory.opened[-1]


async def serve(settings: RealtimeSettings | None = None, **options: Any) -> tuple[Served, web.AppRunner]:
    factory = ScriptedFactory()
    gateway = RealtimeGateway(factory, settings, **options)
    app = web.Application()
    app.router.add_get("/v1/realtime", gateway.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return Served(factory, gateway, runner.addresses[0][1]), runner
