"""The configuration endpoint: what a device asks at boot, and whether it was bound. Source: xiaozhi.md 1.

Any status but 200 costs a device minutes, and some of them their voice until they are restarted: whatever its body
looks like, a device that says who it is gets its configuration.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from aiohttp import web

from entendre.core.clock import Clock
from entendre.core.device import (
    Admission,
    Admitted,
    DeviceIdentity,
    Proof,
    Refusal,
    Refused,
    Unbound,
    hardware_of,
    label_of,
    opaque_of,
)
from entendre.core.quotas import quota_address
from entendre.gateways.xiaozhi.addresses import Base, base_of_request
from entendre.gateways.xiaozhi.credentials import mqtt_login
from entendre.gateways.xiaozhi.firmware import FirmwareShelf
from entendre.gateways.xiaozhi.peers import PeerRates
from entendre.gateways.xiaozhi.releases import ReleasedFirmware
from entendre.ports import DeviceRegistry
from entendre.wire.xiaozhi_ota import (
    MAX_REPORT_BYTES,
    ActivationOffer,
    DeviceReport,
    FirmwareOffer,
    MqttOffer,
    WebSocketOffer,
    build_response,
    read_activation,
    read_report,
)

log = logging.getLogger(__name__)

BODY_S = 10.0
"""Longest time to wait for a body; what the headers say is enough."""
PUBLISH_TOPIC = "device-server"
"""What devices publish to; who they are says their connection."""


@dataclass(frozen=True, slots=True)
class OtaSettings:
    """What devices are told. `public`: how they reach us, None for the name that they asked by.

    `mqtt_port` 0: there is no MQTT endpoint. `zone`: IANA name of the home's time zone.
    """

    public: Base | None = None
    zone: str = "UTC"
    framing: int = 3
    transport: Literal["websocket", "mqtt"] = "websocket"
    mqtt_port: int = 0
    strangers_per_s: float = 0.5
    strangers_burst: int = 30


class OtaEndpoint:
    """The handlers of the configuration endpoint."""

    def __init__(
        self,
        registry: DeviceRegistry,
        clock: Clock,
        settings: OtaSettings,
        firmware: FirmwareShelf | None = None,
        released: ReleasedFirmware | None = None,
    ) -> None:
        """`released`: what rollouts offer, which goes before what lies in a folder."""
        self._released = released
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self._firmware = firmware
        self._zone = ZoneInfo(settings.zone)
        self._addresses = PeerRates(clock, per_s=settings.strangers_per_s, burst=settings.strangers_burst)
        self._devices = PeerRates(clock, per_s=0.2, burst=12)
        self._polls = PeerRates(clock, per_s=1.0, burst=30)

    async def configure(self, request: web.Request) -> web.Response:
        """`POST` or `GET` of the OTA address: everything that a device needs to start."""
        report = read_report(request.headers, await _body(request))
        if not report.device_id:
            return web.json_response(
                {"error": "Device-Id is missing: this address is for xiaozhi devices."}, status=400
            )
        strangers = self._may_ask(request, report)
        found = await self._announced(request, report, strangers=strangers)
        if not strangers and found == Refused(Refusal.TOO_MANY_UNBOUND):
            return web.json_response({"error": "too_many_requests"}, status=429, headers={"Retry-After": "30"})
        if isinstance(found, Refused):
            log.info("a device gets nothing", extra={"reason": found.reason.value})
        return web.json_response(await self._answer(request, report, found))

    async def activate(self, request: web.Request) -> web.Response:
        """`POST` of `…/activate`: 200 once bound, 202 until then."""
        body = await _body(request)
        identity = _identity(read_report(request.headers, b""))
        address = quota_address(request.remote)
        if identity is None:
            return web.json_response({"error": Refusal.BAD_IDENTITY.value}, status=400)
        if not self._polls.take(f"{address} {identity.hardware}"):
            return web.json_response({"error": "too_many_requests"}, status=429, headers={"Retry-After": "10"})
        match await self._registry.activate(identity, _proof(body), address):
            case Admitted():
                return web.json_response({"status": "activated"})
            case Unbound():
                return web.json_response({"status": "waiting"}, status=202)
            case Refused(reason):
                log.info("an activation was refused", extra={"reason": reason.value})
                return web.json_response({"error": reason.value}, status=403)

    def _may_ask(self, request: web.Request, report: DeviceReport) -> bool:
        """Whether an unknown device may ask for a code now: so often an address, so often a device."""
        of_address = self._addresses.take(quota_address(request.remote))
        return self._devices.take(report.device_id) and of_address

    async def _announced(self, request: web.Request, report: DeviceReport, *, strangers: bool) -> Admission:
        identity = _identity(report)
        if identity is None:  # without a client id there is nothing to pin
            return Refused(Refusal.BAD_IDENTITY)
        return await self._registry.announce(identity, quota_address(request.remote), strangers=strangers)

    async def _answer(self, request: web.Request, report: DeviceReport, found: Admission) -> dict[str, object]:
        base = base_of_request(request, self._settings.public)
        token = "" if isinstance(found, Refused) else found.token
        now = datetime.fromtimestamp(self._clock.wall(), UTC)
        offset = now.astimezone(self._zone).utcoffset()
        return build_response(
            report,
            server_time_ms=int(now.timestamp() * 1_000),
            timezone_offset_min=int(offset.total_seconds() // 60) if offset is not None else 0,
            websocket=WebSocketOffer(base.websocket(), token, self._settings.framing),
            mqtt=self._mqtt(found, base),
            activation=_activation(found, base),
            firmware=await self._newer(found, report, base),
        )

    def _mqtt(self, found: Admission, base: Base) -> MqttOffer | None:
        """A device that is told of MQTT uses nothing else, so one that may only ask to be bound is not told."""
        settings = self._settings
        if not isinstance(found, Admitted) or settings.transport != "mqtt" or not settings.mqtt_port:
            return None
        login = mqtt_login(found.record.hardware, found.record.client, found.token)
        return MqttOffer(
            endpoint=f"{base.host}:{settings.mqtt_port}",
            client_id=login.client_id,
            username=login.username,
            password=login.password,
            publish_topic=PUBLISH_TOPIC,
        )

    async def _newer(self, found: Admission, report: DeviceReport, base: Base) -> FirmwareOffer | None:
        if not isinstance(found, Admitted):
            return None
        board, offer = report.board_name or report.board, None
        if self._released is not None:
            offer = await self._released.offer(found.record.id, board, report.firmware_version, base)
        if offer is None and self._firmware is not None:
            offer = await self._firmware.offer(found.record.id, board, base)
        return offer


def _activation(found: Admission, base: Base) -> ActivationOffer | None:
    """What an unbound device shows: this server's name and the code, in no language."""
    if not isinstance(found, Unbound):
        return None
    return ActivationOffer(found.challenge, found.code, f"{base.host}\n{found.code}" if found.code else "")


def _identity(report: DeviceReport) -> DeviceIdentity | None:
    """What a report says of its device in the form that the registry keeps; None if it can't be kept."""
    hardware, client = hardware_of(report.device_id), opaque_of(report.client_id)
    if hardware is None or client is None:
        return None
    return DeviceIdentity(
        hardware=hardware,
        client=client,
        serial=opaque_of(report.serial_number),
        board=label_of(report.board_name or report.board),
        firmware=label_of(report.firmware_version),
        language=label_of(report.language),
    )


def _proof(body: bytes) -> Proof | None:
    """The answer to a challenge, if the body has any part of one."""
    read = read_activation(body)
    if not (read.serial_number or read.challenge or read.hmac_hex):
        return None
    return Proof(read.serial_number, read.challenge, read.hmac_hex)


async def _body(request: web.Request) -> bytes:
    """The body as far as it is worth reading; a device that sends too much or too slowly is known by its headers."""
    data = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.content.iter_any():
                data += piece
                if len(data) > MAX_REPORT_BYTES:
                    break
    except (TimeoutError, web.RequestPayloadError):
        log.info("a device's report could not be read", extra={"bytes": len(data)})
    return bytes(data)
