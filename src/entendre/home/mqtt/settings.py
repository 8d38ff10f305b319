"""Where the broker is and how to reach it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from entendre.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """One broker.

    `tls_ca_file`: a certificate authority to trust instead of the system's. `announce`: say "online" on
    `<prefix>/status` after connecting, which makes Zigbee2MQTT and others send their states again.
    """

    host: str
    port: int = 1883
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = "homeassistant"
    tls: bool = False
    tls_ca_file: str | None = None
    client_id: str | None = None
    announce: bool = True
    keepalive_s: int = 15
    publish_timeout_s: float = 3.0
    first_retry_s: float = 1.0
    last_retry_s: float = 60.0


def broker_of(url: str, prefix: str) -> MqttSettings:
    """Settings of a broker's URL. Raises: ConfigurationError."""
    parts = urlsplit(url)
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
        raise ConfigurationError("home.mqtt_url must look like mqtt://user:password@host:1883.")
    tls = parts.scheme == "mqtts"
    return MqttSettings(
        host=parts.hostname,
        port=parts.port or (8883 if tls else 1883),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        prefix=prefix,
        tls=tls,
    )
