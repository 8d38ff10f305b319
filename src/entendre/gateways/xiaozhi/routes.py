"""The HTTP routes of xiaozhi devices beside their WebSocket."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp.typedefs import Handler

from entendre.gateways.xiaozhi.addresses import FIRMWARE_PATH, OTA_PATH, VISION_PATH
from entendre.gateways.xiaozhi.firmware import FirmwareShelf
from entendre.gateways.xiaozhi.ota import OtaEndpoint
from entendre.gateways.xiaozhi.vision import VisionEndpoint


@dataclass(frozen=True, slots=True)
class DeviceRoute:
    """A route that devices ask, with credentials of their own."""

    method: str
    path: str
    handler: Handler


def device_routes(ota: OtaEndpoint, firmware: FirmwareShelf | None, vision: VisionEndpoint) -> tuple[DeviceRoute, ...]:
    """Every route; the configuration address with a slash at its end and without, as owners type it."""
    routes = [
        DeviceRoute(method, path, ota.configure) for method in ("GET", "POST") for path in (OTA_PATH, f"{OTA_PATH}/")
    ]
    routes.append(DeviceRoute("POST", f"{OTA_PATH}/activate", ota.activate))
    routes.append(DeviceRoute("POST", VISION_PATH, vision.upload))
    if firmware is not None:
        routes.append(DeviceRoute("GET", f"{FIRMWARE_PATH}/{{device}}/{{board}}/{{version}}.bin", firmware.download))
    return tuple(routes)
