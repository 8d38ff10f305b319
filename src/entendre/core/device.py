"""Devices as data: what one says of itself, what is known of it, and whether it is let in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from entendre.core.errors import InvalidInputError
from entendre.core.tags import MOST_TAGS, SEPARATOR

MAX_IDENTITY_CHARS = 64
"""Longest Client-Id or serial number taken: a UUID has 36 characters, an eFuse serial 32."""
MAX_LABEL_CHARS = 100
"""Longest board name, firmware version, language tag or name of a device."""

_HARDWARE = re.compile(r"[0-9a-f]{2}(?:[:_-][0-9a-f]{2}){5}|[0-9a-f]{12}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_OPAQUE = re.compile(r"[A-Za-z0-9._:{}-]{1,64}")


class Refusal(StrEnum):
    """Why a device is not let in. The values are stable: logs and metrics name them."""

    BAD_IDENTITY = "bad_identity"
    UNKNOWN_DEVICE = "unknown_device"
    TOKEN_UNKNOWN = "token_unknown"
    TOKEN_EXPIRED = "token_expired"
    IDENTITY_MISMATCH = "identity_mismatch"
    REVOKED = "revoked"
    WRONG_PROOF = "wrong_proof"
    CHALLENGE_USED = "challenge_used"
    TOO_MANY_UNBOUND = "too_many_unbound"


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """What a device says of itself; nothing of it is proven. `hardware` is a MAC address, lower case with colons.

    `client` is the device's own random id, which lasts until its flash is erased. `serial` is burned in, if any.
    """

    hardware: str
    client: str
    serial: str | None = None
    kind: str = "xiaozhi"
    board: str = ""
    firmware: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A device of the household. `client` and `serial` are those of the binding; others of this hardware are refused.

    `room` is the id of a room of the home. `attested`: an enrolled key proved the serial when it was bound.
    """

    id: str
    kind: str
    hardware: str
    client: str
    serial: str | None
    name: str
    room: str | None
    language: str | None
    board: str
    firmware: str
    attested: bool
    bound_at_s: float
    bound_by: str
    last_seen_at_s: float | None = None
    revoked_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class PendingDevice:
    """A device that shows a code and waits to be bound. `rebinds`: the device that it says to be, with other pins."""

    id: str
    kind: str
    hardware: str
    serial: str | None
    board: str
    firmware: str
    language: str
    code: str
    created_at_s: float
    expires_at_s: float
    rebinds: str | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """An answer to a challenge. `digest`: HMAC-SHA256 of the challenge, lower-case hex. `serial` is empty for none."""

    serial: str
    challenge: str
    digest: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A bound device. `token` is set only where one was made; `expires_at_s` ends the token that was shown or made."""

    record: DeviceRecord
    token: str = ""
    expires_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Unbound:
    """A device that may only ask to be bound: `code` is shown and spoken, `challenge` is to be answered.

    `code` is empty for a bound device that has to prove its enrolled key again. `token` is set only where one was made:
    it opens nothing yet, and counts from when the device's activation does.
    """

    code: str
    challenge: str
    expires_at_s: float = 0.0
    token: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing for this device."""

    reason: Refusal


Admission = Admitted | Unbound | Refused


def shown_device(record: DeviceRecord) -> dict[str, object]:
    """A device as people may see it. Its client id stays here: who knows it could pass for the device."""
    return {
        "id": record.id,
        "kind": record.kind,
        "name": record.name,
        "room": record.room,
        "language": record.language,
        "hardware": record.hardware,
        "serial": record.serial,
        "attested": record.attested,
        "board": record.board,
        "firmware": record.firmware,
        "bound_at_s": record.bound_at_s,
        "bound_by": record.bound_by,
        "last_seen_at_s": record.last_seen_at_s,
        "revoked_at_s": record.revoked_at_s,
    }


def shown_pending(pending: PendingDevice) -> dict[str, object]:
    """A device that waits, without its code: who binds it has to have read that from the device."""
    return {
        "id": pending.id,
        "kind": pending.kind,
        "hardware": pending.hardware,
        "serial": pending.serial,
        "board": pending.board,
        "firmware": pending.firmware,
        "created_at_s": pending.created_at_s,
        "expires_at_s": pending.expires_at_s,
        "rebinds": pending.rebinds,
    }


def language_of(text: str) -> str:
    """A language tag or a few joined by commas, empty for none. Raises: InvalidInputError."""
    tags = [tag.strip() for tag in text.split(SEPARATOR)] if text.strip() else []
    if len(tags) > MOST_TAGS or not all(map(_LANGUAGE.fullmatch, tags)):
        raise InvalidInputError("A language is a tag such as en or pt-BR, or up to three of them: hi,en.")
    return SEPARATOR.join(tags)


def hardware_of(text: str) -> str | None:
    """A MAC address in the house form, `aa:bb:cc:dd:ee:ff`; None if it is none."""
    lower = text.strip().lower()
    if not _HARDWARE.fullmatch(lower):
        return None
    digits = re.sub(r"[^0-9a-f]", "", lower)
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def opaque_of(text: str) -> str | None:
    """A Client-Id or serial number as it may be kept; None if it is empty, too long or has odd characters."""
    stripped = text.strip()
    return stripped if _OPAQUE.fullmatch(stripped) else None


def label_of(text: str) -> str:
    """What a device calls itself, made safe to keep and to show: printable and bounded."""
    return "".join(each for each in text if each.isprintable()).strip()[:MAX_LABEL_CHARS]
