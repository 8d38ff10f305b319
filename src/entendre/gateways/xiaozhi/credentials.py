"""What a device is told to connect to MQTT with, and what that says of it.

Source: xiaozhi.md 3.1, the reference bridge's client id; firmware sends back whatever it was given.
"""

from __future__ import annotations

from dataclasses import dataclass

from entendre.core.device import hardware_of, opaque_of

GROUP = "GID_entendre"
SEPARATOR = "@@@"
MAX_CLIENT_ID_CHARS = 128


@dataclass(frozen=True, slots=True)
class MqttLogin:
    """The three strings of an MQTT CONNECT. `password` is the device's token."""

    client_id: str
    username: str
    password: str


def mqtt_login(hardware: str, client: str, token: str) -> MqttLogin:
    """The login of a bound device."""
    client_id = SEPARATOR.join((GROUP, hardware.replace(":", "_"), client))
    return MqttLogin(client_id=client_id, username=hardware, password=token)


def identity_of_client_id(client_id: str) -> tuple[str, str] | None:
    """(hardware, client) that an MQTT client id claims, for `DeviceRegistry.verify`; None if it has another form."""
    parts = client_id[: MAX_CLIENT_ID_CHARS + 1].split(SEPARATOR)
    if len(client_id) > MAX_CLIENT_ID_CHARS or len(parts) != 3:
        return None
    hardware, client = hardware_of(parts[1]), opaque_of(parts[2])
    return (hardware, client) if hardware and client else None
