"""Which addresses may be fetched: the public Internet, and of the home's own network only what its owner named."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Iterable
from urllib.parse import urljoin

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from entendre.core.errors import MediaError

Place = tuple[str, int]
"""A host name in lower case and a port."""

Named = Callable[[], frozenset[Place]]
"""The places that the owner named, which may be private."""

MAX_URL_CHARS = 2_000
_SCHEMES = frozenset({"http", "https"})
_IPV4_INSIDE = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
"""Addresses that end in an IPv4 address: through NAT64 (RFC 6052), and of an old form (RFC 4291 2.5.5.1)."""
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
"""Translated as a network likes. Source: RFC 8215."""


def place_of(url: str) -> Place:
    """Where a URL points to, as the client that follows it reads it. Raises: MediaError for all but http and https."""
    if len(url) > MAX_URL_CHARS:
        raise MediaError("That address is malformed.", detail="too long")
    try:
        parts = URL(url)
        host, port = parts.raw_host, parts.port
    except ValueError:
        raise MediaError("That address is malformed.", detail="no URL") from None
    if parts.scheme not in _SCHEMES or not host or port is None:
        raise MediaError("Only http and https addresses can be played.", detail="scheme")
    return host.lower(), port


def places_of(urls: Iterable[str]) -> frozenset[Place]:
    """The places of addresses that were checked before."""
    return frozenset(place_of(url) for url in urls)


def followed(base: str, location: str) -> str:
    """Where a redirect or a playlist leads. Raises: MediaError."""
    try:
        return urljoin(base, location.strip())
    except ValueError:
        raise MediaError("That address is malformed.", detail="redirect") from None


def check_literal(place: Place, named: frozenset[Place]) -> None:
    """Refuse a private IP address that the owner did not name; names are checked once resolved. Raises: MediaError."""
    host = place[0].strip("[]")
    try:
        ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return
    if place not in named and not is_public(host):
        raise MediaError("That address is private. Name it in the home file to play from it.", detail="private")


def is_public(address: str) -> bool:
    """Whether an IP address is on the Internet: none of a private network, of this machine, or of a group."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.is_site_local or ip in _LOCAL_NAT64:
            return False
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and any(ip in each for each in _IPV4_INSIDE):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    return ip.is_global and not ip.is_multicast


class CheckedResolver(AbstractResolver):
    """Resolves names, and leaves out private addresses of places that the owner did not name.

    What is connected to is what was checked: a name that changes its mind in between gains nothing.
    """

    def __init__(self, named: Named, inner: AbstractResolver | None = None) -> None:
        self._named = named
        self._inner = inner or ThreadedResolver(asyncio.get_running_loop())

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host that may be connected to. Raises: OSError."""
        found = await self._inner.resolve(host, port, family)
        if (host.lower(), port) in self._named():
            return found
        allowed = [each for each in found if is_public(each["host"])]
        if not allowed:
            raise OSError(None, f"{host} is a private address")
        return allowed

    async def close(self) -> None:
        """Let go of the inner resolver."""
        await self._inner.close()
