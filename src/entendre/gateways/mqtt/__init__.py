"""An MQTT 3.1.1 endpoint for devices: no broker, but a door with topics behind which services sit."""

from entendre.gateways.mqtt.endpoint import MqttEndpoint, tls_context
from entendre.gateways.mqtt.router import Client, Credentials, Identity, Message, Service, TopicRouter
from entendre.gateways.mqtt.settings import EndpointSettings

__all__ = [
    "Client",
    "Credentials",
    "EndpointSettings",
    "Identity",
    "Message",
    "MqttEndpoint",
    "Service",
    "TopicRouter",
    "tls_context",
]
