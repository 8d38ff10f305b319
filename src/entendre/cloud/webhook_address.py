"""Where a webhook may point to, as far as its URL tells; what it resolves to is judged at each delivery."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from entendre.core.errors import InvalidInputError
from entendre.fleet.webhooks import MAX_URL_CHARS


def checked_url(url: str, *, to_private: bool) -> str:
    """An address that may be delivered to; `to_private` allows http, and this machine. Raises: InvalidInputError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidInputError("url is no URL.") from None
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url or not host:
        raise InvalidInputError(f"url is an address of at most {MAX_URL_CHARS} ASCII characters.")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInputError("url has no user, password or fragment.")
    if parts.scheme != "https" and not (to_private and parts.scheme == "http" and _is_loopback(host)):
        raise InvalidInputError("url begins with https://.")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
