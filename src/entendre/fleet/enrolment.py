"""How a device proves that it is one of a batch, and which region it is of.

A maker burns into each device a key made from the batch's key and the serial number, so a key taken out of one device
proves nothing of another. A device signs a challenge; what is signed names the group and the serial number.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from entendre.core.device import MAX_IDENTITY_CHARS
from entendre.core.errors import InvalidInputError

KEY_BYTES = 32
MIN_KEY_BYTES = 16
MAX_KEY_BYTES = 64
MAX_REGIONS = 300
ANY_COUNTRY = "*"
CHALLENGE_S = 60.0
MAX_REGION_CHARS = 32

_SERIAL = re.compile(r"[A-Za-z0-9._:{}-]+")
_COUNTRY = re.compile(r"[A-Z]{2}")
_REGION = re.compile(r"[a-z0-9][a-z0-9-]*")


def derived_key(group_key: bytes, serial: str) -> bytes:
    """The key of one device: HMAC-SHA256 of its serial number with the group's key."""
    return hmac.new(group_key, serial.encode(), hashlib.sha256).digest()


def proof_text(group: str, serial: str, challenge: str) -> bytes:
    """What a device proves itself with: it signs these bytes, or makes an HMAC of them."""
    return f"entendre provision 1\n{group}\n{serial}\n{challenge}".encode("utf-8", "replace")


def symmetric_proof(key: bytes, group: str, serial: str, challenge: str) -> bytes:
    """The proof of a device that has a derived key: HMAC-SHA256 of `proof_text`."""
    return hmac.new(key, proof_text(group, serial, challenge), hashlib.sha256).digest()


def proves(group_key: bytes, group: str, serial: str, challenge: str, proof: bytes) -> bool:
    """Whether a proof was made with the key that a group's key gives this serial number."""
    expected = symmetric_proof(derived_key(group_key, serial), group, serial, challenge)
    return hmac.compare_digest(expected, proof)


def clean_serial(serial: str) -> str:
    """A serial number as it is kept. Raises: InvalidInputError."""
    clean = serial.strip()
    if len(clean) > MAX_IDENTITY_CHARS or not _SERIAL.fullmatch(clean):
        raise InvalidInputError(f"A serial number has 1 to {MAX_IDENTITY_CHARS} letters, digits and .-_:{{}}.")
    return clean


def clean_country(country: str | None) -> str | None:
    """A country as it is kept; None and empty are none. Raises: InvalidInputError."""
    if not country:
        return None
    clean = country.strip().upper()
    if not _COUNTRY.fullmatch(clean):
        raise InvalidInputError("A country is two letters of ISO 3166, as BR.")
    return clean


def is_region(name: str) -> bool:
    """Whether a region may be called that."""
    return len(name) <= MAX_REGION_CHARS and _REGION.fullmatch(name) is not None


def clean_regions(regions: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    """A map of country to region as it is kept, of known regions only. Raises: InvalidInputError."""
    if len(regions) > MAX_REGIONS:
        raise InvalidInputError(f"A group names at most {MAX_REGIONS} countries.")
    clean = {}
    for country, region in regions.items():
        key = ANY_COUNTRY if country == ANY_COUNTRY else clean_country(country)
        if key is None:
            raise InvalidInputError("A country is two letters of ISO 3166, or * for any other.")
        if region not in known:
            raise InvalidInputError(
                f"This server knows no region {region[:MAX_REGION_CHARS]}; fleet.regions names them."
            )
        clean[key] = region
    return clean


def region_for(regions: Mapping[str, str], country: str | None, here: str) -> str:
    """The home region of a device of a country; `here` where the group names none."""
    return regions.get(country or ANY_COUNTRY) or regions.get(ANY_COUNTRY) or here
