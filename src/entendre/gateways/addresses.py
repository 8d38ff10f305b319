"""How a device to dial is written in one setting: `host:port` or `name@room=host:port`."""

from __future__ import annotations

from dataclasses import dataclass

from entendre.core.errors import ConfigurationError

_LARGEST_PORT = 65_535
_NEVER_IN_A_HOST = frozenset("@=/ \t")


@dataclass(frozen=True, slots=True)
class NamedAddress:
    """Where a device is and what its owner calls it."""

    host: str
    port: int
    name: str | None = None
    room: str | None = None


def parse_named_address(text: str, *, port: int, kind: str) -> NamedAddress:
    """`host`, `host:port`, `[v6]:port`, each with `name=`, `@room=` or `name@room=` before it; `port` if none is given.

    Raises: ConfigurationError, which calls such a device `kind`.
    """
    name, room, address = split_label(text)
    host, found_port = _address(address, text, port, kind)
    return NamedAddress(host, found_port, name, room)


def split_label(text: str) -> tuple[str | None, str | None, str]:
    """The name, the room and the rest of `name@room=rest`."""
    label, found, rest = text.rpartition("=")
    name, _, room = label.partition("@") if found else ("", "", "")
    return name.strip() or None, room.strip() or None, rest.strip()


def _address(address: str, text: str, default_port: int, kind: str) -> tuple[str, int]:
    if address.startswith("["):
        host, _, rest = address[1:].partition("]")
        port = rest.removeprefix(":")
    elif address.count(":") > 1:
        host, port = address, ""
    else:
        host, _, port = address.partition(":")
    port = port or str(default_port)
    is_host = bool(host) and not _NEVER_IN_A_HOST & set(host)
    if not is_host or not (port.isascii() and port.isdigit()) or not 0 < int(port) <= _LARGEST_PORT:
        raise ConfigurationError(f"{kind} is written host:port or name@room=host:port, not {text!r}.")
    return host, int(port)
