"""Where a request comes from, and by which URL it reached us, also behind a proxy that is trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from aiohttp import hdrs, web

Networks = Sequence[IPv4Network | IPv6Network]
FORWARDED_FOR = "X-Forwarded-For"
FORWARDED_PROTO = "X-Forwarded-Proto"
FORWARDED_HOST = "X-Forwarded-Host"


def address_of(request: web.Request, trusted: Networks) -> str:
    """The caller's IP address: the last one of X-Forwarded-For that no trusted proxy wrote of another."""
    address = request.remote or ""
    hops = [hop.strip() for line in request.headers.getall(FORWARDED_FOR, []) for hop in line.split(",")]
    while hops and is_in(address, trusted):
        hop = hops.pop()
        if not _is_address(hop):
            break
        address = hop
    return address


def base_of(request: web.Request, public_url: str, trusted: Networks) -> str:
    """The URL of this server without a slash at its end, as the caller reached it unless it is set."""
    if public_url:
        return public_url.rstrip("/")
    scheme, host = request.scheme, request.headers.get(hdrs.HOST, "")
    if is_in(request.remote or "", trusted):
        told = request.headers.get(FORWARDED_PROTO, scheme).split(",")[0].strip().lower()
        scheme = told if told in ("http", "https") else scheme
        host = request.headers.get(FORWARDED_HOST, host).split(",")[0].strip()
    return f"{scheme}://{host}"


def is_in(address: str, networks: Networks) -> bool:
    """Whether an IP address belongs to one of the networks."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return any(parsed.version == each.version and parsed in each for each in networks)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
