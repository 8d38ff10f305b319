"""UUIDv7 identifiers (RFC 9562), built from a given time and given entropy so that this module stays pure."""

from __future__ import annotations

import uuid

ENTROPY_BYTES = 10


def uuid7(unix_ms: int, entropy: bytes) -> str:
    """A UUIDv7 string for a time in Unix milliseconds and 10 random bytes."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"entropy must be {ENTROPY_BYTES} bytes")
    raw = bytearray((unix_ms & 0xFFFF_FFFF_FFFF).to_bytes(6, "big") + entropy)
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return str(uuid.UUID(bytes=bytes(raw)))
