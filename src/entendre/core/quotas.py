"""Whom quotas count: how many addresses one peer may have costs it nothing."""

from __future__ import annotations

import ipaddress


def quota_address(remote: str | None) -> str:
    """What quotas count of an IP address: of IPv6 the /64 that one household has."""
    try:
        address = ipaddress.ip_address(remote or "")
    except ValueError:
        return remote or ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
