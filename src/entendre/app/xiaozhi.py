"""xiaozhi devices: their WebSocket, and the HTTP that they ask at boot, on the HTTP server."""

from __future__ import annotations

import logging
import secrets
from importlib import resources
from typing import TYPE_CHECKING

from aiohttp import web

from entendre.app.devices import vision_of
from entendre.app.mqtt import xiaozhi_port
from entendre.app.tasks import running
from entendre.core.device import Admitted
from entendre.core.errors import ConfigurationError, MissingExtraError
from entendre.web.services import Door
from entendre.wire.mcp import Vision

if TYPE_CHECKING:
    from entendre.app.application import App
    from entendre.gateways.xiaozhi.settings import XiaozhiSettings
    from entendre.gateways.xiaozhi.vision import VisionEndpoint

log = logging.getLogger(__name__)

WAKE_WORDS = "wake_words.txt"


async def open_xiaozhi(app: App) -> VisionEndpoint | None:
    """Offer the routes that devices need, before the HTTP server starts. Raises: ConfigurationError.

    Returns where devices send pictures; None if there are no xiaozhi devices.
    """
    if not app.settings.xiaozhi.enabled:
        return None
    try:
        from entendre.gateways.xiaozhi.opus import require_opus

        require_opus()
    except MissingExtraError as error:
        log.info("no xiaozhi devices: %s", error.public_message)
        return None
    await app.stack.enter_async_context(running(app.devices.run(), "devices"))
    return _offer(app)


def _offer(app: App) -> VisionEndpoint:
    from entendre.gateways.xiaozhi.addresses import WEBSOCKET_PATH, base_of_request, base_of_url
    from entendre.gateways.xiaozhi.firmware import FirmwareShelf
    from entendre.gateways.xiaozhi.gateway import Surroundings, XiaozhiGateway
    from entendre.gateways.xiaozhi.ota import OtaEndpoint, OtaSettings
    from entendre.gateways.xiaozhi.releases import ReleasedFirmware
    from entendre.gateways.xiaozhi.routes import device_routes
    from entendre.gateways.xiaozhi.vision import VisionEndpoint

    settings, key = app.settings, secrets.token_bytes(32)
    public = base_of_url(settings.server.public_url) if settings.server.public_url else None
    folder = settings.xiaozhi.firmware_dir
    firmware = FirmwareShelf(folder, key, app.clock, app.devices) if folder is not None else None
    pictures = VisionEndpoint(app.devices, key, app.clock, vision_of(settings))

    def vision(request: web.Request, admitted: Admitted) -> Vision:
        offer = pictures.offer(admitted.record, base_of_request(request, public))
        return Vision(offer.url, offer.token)

    def say_code(code: str, language: str) -> str:
        return app.planner.phrase("bind_device", language, code=", ".join(code))

    gateway = XiaozhiGateway(
        app.households,
        app.devices,
        app.clock,
        gateway_settings(app),
        Surroundings(
            app.voice_for,
            say_code,
            vision,
            next_ring_s=lambda device: next_ring_s(app, device),
            silence=lambda ring: silence(app, ring),
        ),
    )
    mqtt_port = xiaozhi_port(settings)
    ota_settings = OtaSettings(
        public,
        zone=app.zone,
        framing=_framing(settings.xiaozhi.framing),
        transport="mqtt" if mqtt_port else "websocket",
        mqtt_port=mqtt_port,
    )
    released = ReleasedFirmware(app.fleet.releases.door, app.fleet.releases.downloads)
    ota = OtaEndpoint(app.devices, app.clock, ota_settings, firmware, released)
    doors = [Door(each.method, each.path, each.handler) for each in device_routes(ota, firmware, pictures)]
    paths = (WEBSOCKET_PATH, WEBSOCKET_PATH.rstrip("/"))
    app.doors += [*doors, *(Door("GET", path, gateway.handle, gateway.close) for path in paths)]
    return pictures


def gateway_settings(app: App) -> XiaozhiSettings:
    """The settings of every transport of xiaozhi devices."""
    from entendre.gateways.xiaozhi.settings import XiaozhiSettings

    chosen = app.settings.xiaozhi
    return XiaozhiSettings(
        language=app.settings.server.language,
        wake_words=(*_known_wake_words(), *chosen.wake_words),
        idle_s=chosen.idle_s,
        hold_for_rings_s=chosen.hold_for_rings_s,
        max_connections=app.settings.limits.connections,
    )


def next_ring_s(app: App, device: str) -> float | None:
    """Seconds until a timer of this device rings."""
    timers = (timer for timer in app.households.where(device).timers() if timer.device == device and not timer.paused)
    return min((timer.remaining_s for timer in timers), default=None)


def silence(app: App, ring: str) -> None:
    """End what rings, because it was silenced at its device."""
    app.assistant.keeper.start(app.dismiss_ring(ring), "silence")


def _known_wake_words() -> tuple[str, ...]:
    lines = resources.files("entendre.gateways.xiaozhi").joinpath(WAKE_WORDS).read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def _framing(version: int) -> int:
    if version not in (1, 2, 3):
        raise ConfigurationError("xiaozhi.framing is 1, 2 or 3.")
    return version
