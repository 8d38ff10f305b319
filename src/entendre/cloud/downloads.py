"""Download URLs that are personal and expire: whoever holds one gets one file, for a while, and nothing else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import msgspec

from entendre.core.clock import Clock
from entendre.ports.releases import Download

PATH = "/api/v1/downloads/"
LIFE_S = 6 * 3_600
"""A slow device may take hours; it asks for a new URL once this one is over, and goes on where it was."""
MAX_TOKEN_CHARS = 256
_SIGNATURE_BYTES = 16


class _Claim(msgspec.Struct, array_like=True):
    brand: str
    device: str
    artifact: str
    expires_at_s: int


class SignedDownloads:
    """Implements `ports.releases.DownloadTokens`. `secret`: the region's, the same in every process."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def token(self, brand: str, device: str, artifact: str) -> tuple[str, float]:
        """A token for one device and one file, and when it ends."""
        expires_at_s = int(self._clock.wall()) + LIFE_S
        claim = msgspec.msgpack.encode(_Claim(brand, device, artifact, expires_at_s))
        return _text(claim) + "." + _text(self._signature(claim)), float(expires_at_s)

    def read(self, token: str) -> Download | None:
        """What a token is for; None if it is not ours or over."""
        first, _, second = token.partition(".")
        claim, signature = _bytes(first), _bytes(second)
        if len(token) > MAX_TOKEN_CHARS or not claim or not hmac.compare_digest(signature, self._signature(claim)):
            return None
        found = msgspec.msgpack.decode(claim, type=_Claim)
        if found.expires_at_s <= self._clock.wall():
            return None
        return Download(found.brand, found.device, found.artifact, float(found.expires_at_s))

    def _signature(self, claim: bytes) -> bytes:
        return hmac.new(self._secret, b"entendre download 1\n" + claim, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
