"""The MQTT endpoint of devices: those of the fleet, and the xiaozhi speakers behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entendre.core.device import Admitted
from entendre.core.errors import ConfigurationError, MissingExtraError
from entendre.wire.mcp import Vision

if TYPE_CHECKING:
    from entendre.app.application import App
    from entendre.config import Settings
    from entendre.gateways.xiaozhi.mqtt import XiaozhiMqtt
    from entendre.gateways.xiaozhi.vision import VisionEndpoint


def uses_tls(settings: Settings) -> bool:
    """Whether the endpoint has a port with TLS. Raises: ConfigurationError for half a certificate."""
    mqtt = settings.device_mqtt
    if (mqtt.certificate is None) is not (mqtt.certificate_key is None):
        raise ConfigurationError("device_mqtt.certificate and device_mqtt.certificate_key go together.")
    return bool(mqtt.certificate is not None and mqtt.tls_port)


def xiaozhi_port(settings: Settings) -> int:
    """The port that xiaozhi devices are told to connect to; 0 if they are to use WebSocket. Raises: ConfigurationError.

    Devices verify a certificate on port 8883, and speak TLS on no other.
    """
    mqtt = settings.device_mqtt
    if not mqtt.xiaozhi or not settings.xiaozhi.enabled:
        return 0
    return mqtt.tls_port if uses_tls(settings) else mqtt.port


async def start_mqtt(app: App, pictures: VisionEndpoint | None) -> None:
    """Listen, if the settings say so; without xiaozhi speakers where there are none. Raises: ConfigurationError."""
    mqtt = app.settings.device_mqtt
    tls = uses_tls(app.settings)
    if not (mqtt.port or tls):
        return
    from entendre.core.quotas import quota_address
    from entendre.gateways.fleet.mqtt import FleetMqtt
    from entendre.gateways.mqtt import Credentials, EndpointSettings, Identity, MqttEndpoint, TopicRouter, tls_context

    fleet = FleetMqtt(app.fleet.logins, app.fleet.desk, app.fleet.links)
    xiaozhi = await _xiaozhi(app, pictures) if pictures is not None else None
    router = TopicRouter()
    router.add(fleet, fleet.filters)

    async def identify(credentials: Credentials) -> Identity | None:
        if fleet.knows(credentials):
            return await fleet.identify(credentials)
        return await xiaozhi.identify(credentials) if xiaozhi is not None else None

    limits = EndpointSettings(connections=app.settings.limits.connections)
    endpoint = MqttEndpoint(identify, router, limits, quota_of=quota_address)
    app.stack.push_async_callback(endpoint.close)
    if xiaozhi is not None:
        router.add(xiaozhi, xiaozhi.filters)
        app.stack.push_async_callback(xiaozhi.close)
    host = mqtt.host or app.settings.server.host
    if mqtt.port:
        await endpoint.listen(host, mqtt.port)
    if tls and mqtt.certificate is not None and mqtt.certificate_key is not None:
        await endpoint.listen(host, mqtt.tls_port, tls_context(mqtt.certificate, mqtt.certificate_key))


async def _xiaozhi(app: App, pictures: VisionEndpoint | None) -> XiaozhiMqtt:
    try:
        from entendre.gateways.xiaozhi.udp import UdpServer
    except ImportError:
        raise MissingExtraError("Devices by MQTT need cryptography: pip install 'entendre[xiaozhi]'.") from None
    from entendre.app.xiaozhi import gateway_settings, next_ring_s, silence
    from entendre.gateways.xiaozhi.addresses import Base, base_of_url
    from entendre.gateways.xiaozhi.mqtt import MqttSurroundings, XiaozhiMqtt

    mqtt, server = app.settings.device_mqtt, app.settings.server
    public = base_of_url(server.public_url) if server.public_url else None

    def vision(admitted: Admitted, address: str) -> Vision:
        if pictures is None:
            return Vision()
        offer = pictures.offer(admitted.record, public or Base(address, app.port))
        return Vision(offer.url, offer.token)

    udp = UdpServer()
    app.stack.callback(udp.close)
    port = await udp.listen(mqtt.host or server.host, mqtt.udp_port)
    around = MqttSurroundings(
        port,
        public.host if public else "",
        vision,
        next_ring_s=lambda device: next_ring_s(app, device),
        silence=lambda ring: silence(app, ring),
    )
    return XiaozhiMqtt(app.households, app.devices, udp, app.clock, gateway_settings(app), around)
