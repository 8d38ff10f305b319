"""Settings of the ESPHome gateway, as the composition root gives them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from entendre.core.errors import ConfigurationError
from entendre.gateways.addresses import parse_named_address, split_label

API_PORT = 6_053
DIAL_IN_PORT = 6_054
KEY_BYTES = 32
_HARDWARE_ADDRESS = re.compile(r"(?:[0-9a-f]{2}[:-]?){5}[0-9a-f]{2}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """One device. `name` identifies it for good; unset, its address does. `room` overrides its own area.

    `hardware`: the hardware address of a device that dials in, lower case without separators; others have a `host`.
    `key`: its Noise key as ESPHome writes it, base64; devices that dial in must have one.
    """

    host: str = ""
    port: int = API_PORT
    hardware: str = ""
    name: str | None = None
    room: str | None = None
    key: str | None = field(default=None, repr=False)

    @property
    def device(self) -> str:
        """The device id: stable while the name, or without one the address, is."""
        return f"esphome-{self.name or self.hardware or f'{self.host}-{self.port}'}"


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """How devices are reached and watched. All times in seconds.

    `wake_words` are made active on devices that listen for wake words themselves; none leaves theirs as they are.
    `served_wake_words` are listened for here, for devices that can't. `dial_in_port` 0 accepts nobody; who
    dials in proves within `called_s` who it is, since no other call is taken meanwhile.
    """

    language: str = "en"
    wake_words: tuple[str, ...] = ()
    served_wake_words: tuple[str, ...] = ()
    discover: bool = False
    dial_in_host: str | None = None
    dial_in_port: int = 0
    chime: bool = True
    dial_s: float = 15.0
    called_s: float = 5.0
    describe_s: float = 10.0
    configure_s: float = 5.0
    keep_alive_s: float = 10.0
    goodbye_s: float = 1.0
    first_retry_s: float = 1.0
    longest_retry_s: float = 60.0
    slow_retry_s: float = 60.0
    stable_s: float = 30.0


def parse_devices(texts: Iterable[str], keys: Mapping[str, str] | None = None) -> tuple[DeviceSettings, ...]:
    """Every device, each as `parse_device` takes it. Raises: ConfigurationError, also if two go by one name."""
    devices = tuple(parse_device(text, keys) for text in texts)
    for what in ([each.device for each in devices], [each.hardware for each in devices if each.hardware]):
        twice = sorted({each for each in what if what.count(each) > 1})
        if twice:
            raise ConfigurationError(f"esphome.devices has {twice[0]} twice; give each device a name of its own.")
    return devices


def parse_device(text: str, keys: Mapping[str, str] | None = None) -> DeviceSettings:
    """`host:port` or `name@room=host[:port]`; a hardware address instead of the host is a device that dials in.

    `keys` are looked up by name, host and hardware address. Raises: ConfigurationError.
    """
    keys = keys or {}
    name, room, rest = split_label(text)
    if _HARDWARE_ADDRESS.fullmatch(rest):
        hardware = re.sub("[:-]", "", rest).lower()
        key = keys.get(name or hardware) or keys.get(hardware)
        if key is None:
            raise ConfigurationError(f"{text!r} dials in, so it needs a key in esphome.noise_keys.")
        return DeviceSettings(hardware=hardware, name=name, room=room, key=key)
    found = parse_named_address(text, port=API_PORT, kind="An ESPHome device")
    key = keys.get(found.name or found.host) or keys.get(found.host)
    return DeviceSettings(host=found.host, port=found.port, name=found.name, room=found.room, key=key)


def parse_keys(texts: Iterable[str]) -> dict[str, str]:
    """`name=key` each, where the name is a device's name, host or hardware address. Raises: ConfigurationError."""
    keys: dict[str, str] = {}
    for text in texts:
        name, found, key = text.partition("=")
        name = re.sub("[:-]", "", name).lower() if _HARDWARE_ADDRESS.fullmatch(name.strip()) else name.strip()
        if not found or not name or not _is_key(key.strip()):
            raise ConfigurationError("esphome.noise_keys are written name=key, with the base64 key of ESPHome's api.")
        keys[name] = key.strip()
    return keys


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == KEY_BYTES
    except (binascii.Error, ValueError):
        return False
