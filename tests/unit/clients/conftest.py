"""A whole server in this process, with the doors of devices open and no engines."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from entendre.app.application import App
from entendre.config import Settings
from entendre.ports.fleet_devices import NewDevice


@dataclass
class Cloud:
    """A server, and devices that are registered with it."""

    app: App
    mqtt_port: int

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"http://127.0.0.1:{self.app.port}"

    async def device(self, serial: str = "SN-1") -> tuple[str, str]:
        """A device of the server's own brand: its id and its token."""
        made = await self.app.fleet.registry.register("home", NewDevice("speaker", serial), by="test")
        return made.id, await self.app.fleet.tokens.issue("home", made.id, by="test")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[Cloud]:
    port = free_port()
    usual = Settings()
    settings = replace(
        usual,
        server=replace(usual.server, port=0, data_dir=folder),
        speech=replace(usual.speech, recognizer="none", voice="none", vad="none"),
        xiaozhi=replace(usual.xiaozhi, enabled=False),
        device_mqtt=replace(usual.device_mqtt, port=port),
    )
    app = App(settings)
    await app.start()
    try:
        yield Cloud(app, port)
    finally:
        await app.close()


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    """A server on a new database."""
    async with started(tmp_path / "server") as running:
        yield running
