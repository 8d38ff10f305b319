"""Challenges that need no memory: a nonce and its end under our own HMAC, for one group and serial number.

That each counts once is kept where one was answered well, so whoever only asks costs nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

from entendre.core.errors import UnauthorizedError
from entendre.fleet.enrolment import CHALLENGE_S

NONCE_BYTES = 16
_TAG_BYTES = 32
_END = struct.Struct(">Q")
MAX_CHALLENGE_CHARS = 128


def challenge_for(secret: bytes, group: str, serial: str, now_s: float, nonce: bytes) -> tuple[str, float]:
    """A challenge, and when it ends. `nonce`: random bytes."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    end_ms = round((now_s + CHALLENGE_S) * 1_000)
    body = nonce + _END.pack(end_ms)
    made = base64.urlsafe_b64encode(body + _tag(secret, group, serial, body)).decode().rstrip("=")
    return made, end_ms / 1_000


def check_challenge(secret: bytes, group: str, serial: str, challenge: str, now_s: float) -> tuple[str, float]:
    """The name under which a challenge counts as used, and its end. Raises: UnauthorizedError for one not of ours."""
    try:
        raw = base64.b64decode(challenge + "=" * (-len(challenge) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    body, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
    if len(body) != NONCE_BYTES + _END.size or not hmac.compare_digest(tag, _tag(secret, group, serial, body)):
        raise UnauthorizedError("The challenge is not of this server, or for another device.")
    end_s = _END.unpack(body[NONCE_BYTES:])[0] / 1_000
    if end_s <= now_s:
        raise UnauthorizedError("The challenge is over. Ask for a new one.")
    return hashlib.sha256(body).hexdigest(), end_s


def _tag(secret: bytes, group: str, serial: str, body: bytes) -> bytes:
    text = f"entendre challenge\n{group}\n{serial}\n".encode("utf-8", "replace")
    return hmac.new(secret, text + body, hashlib.sha256).digest()
