"""Programs that sign people in: the built-in one, and where a browser may be sent back to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from entendre.ports.accounts import OAuthClient

MAX_URI_CHARS = 500
SCOPE = "account"
"""The one scope: everything that the person may do."""

_URI = re.compile(r"([a-z][a-z0-9+.-]*):(?://([^/?#\\@\s]*))?([^#\\\s]*)")
_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?")

CLI = OAuthClient("entendre-cli", "Entendre on the command line", ("http://127.0.0.1/callback",), 0.0, "entendre")


def is_redirect_uri(uri: str) -> bool:
    """Whether a program may register it: https, http on loopback, or a scheme of its own (RFC 8252 section 7)."""
    parts = _parts(uri)
    if parts is None:
        return False
    scheme, host, _, _ = parts
    if scheme == "https":
        return bool(host)
    if scheme == "http":
        return _is_loopback(host)
    return "." in scheme


def may_return(uri: str, registered: Sequence[str]) -> bool:
    """Whether a browser may be sent there: exactly as registered, but for the port of a loopback address.

    Source: RFC 8252 section 7.3.
    """
    if uri in registered:
        return _parts(uri) is not None
    asked = _parts(uri)
    if asked is None or asked[0] != "http" or not _is_loopback(asked[1]) or asked[1].lower() == "localhost":
        return False
    known = (_parts(each) for each in registered)
    return any(each is not None and (each[0], each[1], each[3]) == (asked[0], asked[1], asked[3]) for each in known)


def origin_of(uri: str) -> str:
    """Scheme and authority of a redirect URI, or only a scheme of a program's own, for a content security policy."""
    parts = _parts(uri)
    if parts is None:
        return ""
    scheme, host, port, _ = parts
    return f"{scheme}://{host}{port}" if scheme in ("http", "https") else f"{scheme}:"


def _parts(uri: str) -> tuple[str, str, str, str] | None:
    """Scheme, host, port with its colon, and the rest."""
    if len(uri) > MAX_URI_CHARS or not uri.isascii() or not uri.isprintable():
        return None
    found = _URI.fullmatch(uri)
    if found is None:
        return None
    if not found[2]:
        unread = found[1] in ("http", "https") or found[3].startswith("//")
        return None if unread else (found[1], "", "", found[3])
    authority = _AUTHORITY.fullmatch(found[2])
    if authority is None or found[3][:1] not in ("", "/", "?"):
        return None
    return found[1], authority[1], f":{authority[2]}" if authority[2] else "", found[3]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
