"""Where devices find this server: what is put into the URLs that they are handed.

A device's HTTP client sends no port in its Host header, so the port is that of the socket it came by.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from entendre.core.errors import ConfigurationError, InvalidInputError
from entendre.wire.xiaozhi_ota import check_endpoint

OTA_PATH = "/xiaozhi/ota"
WEBSOCKET_PATH = "/xiaozhi/v1/"
VISION_PATH = "/xiaozhi/vision"
FIRMWARE_PATH = "/xiaozhi/firmware"


@dataclass(frozen=True, slots=True)
class Base:
    """How a device reaches this server: `secure` is https and wss."""

    host: str
    port: int | None
    secure: bool = False

    @property
    def authority(self) -> str:
        """`host` or `host:port`."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    def http(self, path: str) -> str:
        """An HTTP URL."""
        return f"{'https' if self.secure else 'http'}://{self.authority}{path}"

    def websocket(self, path: str = WEBSOCKET_PATH) -> str:
        """A WebSocket URL."""
        return f"{'wss' if self.secure else 'ws'}://{self.authority}{path}"


def base_of_url(url: str) -> Base:
    """The base of a public URL, `https://voice.example.org`. Raises: ConfigurationError."""
    parts = urlsplit(url)
    reached = _host_and_port(parts.netloc)
    if parts.scheme not in ("http", "https") or reached is None or parts.path not in ("", "/"):
        raise ConfigurationError(
            "server.public_url is http:// or https://, a host name or IPv4 address, and perhaps a port; nothing more."
        )
    return Base(*reached, secure=parts.scheme == "https")


def base_of_request(request: web.Request, public: Base | None) -> Base:
    """How the device that sent a request reaches this server: the public URL, else the name that it used itself."""
    if public is not None:
        return public
    address, port = _local(request)
    asked = _host_and_port(request.headers.get("Host", ""))
    if asked is None:  # none, or an IPv6 address, which firmware cannot read
        return Base(address, port)
    return Base(asked[0], asked[1] or port)


def _host_and_port(authority: str) -> tuple[str, int | None] | None:
    """`host` or `host:port` as firmware reads it; None where it can't."""
    try:
        return check_endpoint(authority)
    except InvalidInputError:
        return None


def _local(request: web.Request) -> tuple[str, int | None]:
    """The address and port that a request came in by."""
    found = request.get_extra_info("sockname")
    return (str(found[0]).removeprefix("::ffff:"), int(found[1])) if isinstance(found, tuple) else ("127.0.0.1", None)
