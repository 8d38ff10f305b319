"""Enrolment groups for a brand's staff, provisioning for its devices, and the directory of regions."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from entendre.core.device import MAX_IDENTITY_CHARS
from entendre.core.errors import NotFoundError
from entendre.core.quotas import quota_address
from entendre.fleet.access import Permission
from entendre.fleet.certificates import MAX_AUTHORITY_CHARS, MAX_CHAIN_CHARS
from entendre.fleet.challenges import MAX_CHALLENGE_CHARS
from entendre.ports.fleet_devices import (
    EnrolmentGroup,
    GroupChanges,
    GroupKeys,
    NewGroup,
    ProvisioningClaim,
)
from entendre.web.api.call import Call, Reply
from entendre.web.api.decoding import invalid
from entendre.web.api.devices import Country, Name, Serial, Text
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, page_of
from entendre.web.api.patches import after, given
from entendre.web.api.services import needed

MAX_PROOF_CHARS = 1_500
"""Base64 of an RSA signature of 8,192 bits and then some."""
MAX_PROVISION_BYTES = 64 * 1024
Proof = Annotated[str, Meta(min_length=1, max_length=MAX_PROOF_CHARS)]
Key = Annotated[str, Meta(max_length=128)]
Authority = Annotated[str, Meta(max_length=MAX_AUTHORITY_CHARS)]
Regions = dict[str, Annotated[str, Meta(min_length=1, max_length=32)]]
MaxDevices = Annotated[int, Meta(ge=1, le=100_000_000)]


class GroupBody(Struct, forbid_unknown_fields=True):
    """A group to be. `id` and keys (base64) only to have a group of another region here too."""

    name: Name
    product: Name
    kind: Literal["symmetric", "x509"]
    ca_pem: Authority | None = None
    regions: Regions = {}
    max_devices: MaxDevices | None = None
    id: Serial | None = None
    primary_key: Key | None = None
    secondary_key: Key | None = None


class GroupPatch(Struct, forbid_unknown_fields=True):
    """What to change of a group; what is absent stays, `max_devices` null lifts the limit."""

    enabled: bool | UnsetType = UNSET
    max_devices: MaxDevices | UnsetType | None = UNSET
    regions: Regions | UnsetType = UNSET
    ca_pem: Authority | UnsetType = UNSET


class KeyWanted(Struct, forbid_unknown_fields=True):
    """Which key to replace."""

    key: Literal["primary", "secondary"]


class KeyedGroupReply(Struct):
    """A group with keys that were just made, in base64; they are not shown again."""

    group: EnrolmentGroup
    primary_key: str | None = None
    secondary_key: str | None = None


class ChallengeBody(Struct, forbid_unknown_fields=True):
    """A device that wants to present itself."""

    group: Annotated[str, Meta(min_length=1, max_length=MAX_IDENTITY_CHARS)]
    serial: Serial


class Challenge(Struct):
    """What to prove oneself with, once, and until when."""

    challenge: str
    expires_at_s: float


class ProvisionBody(ChallengeBody):
    """A device with its proof in base64. `certificates`: PEM, its own first, for groups of certificates."""

    challenge: Annotated[str, Meta(min_length=1, max_length=MAX_CHALLENGE_CHARS)]
    proof: Proof
    certificates: Annotated[str, Meta(max_length=MAX_CHAIN_CHARS)] = ""
    country: Country | None = None
    firmware: Text = ""


class ProvisionedReply(Struct):
    """`device` is null for one of another region: it enrols there, at `endpoint`."""

    region: str
    endpoint: str
    device: str | None
    token: str | None
    brand: str | None
    product: str | None
    desired_version: int | None
    reported_version: int | None


class DirectoryEntry(Struct):
    """The region that something lives in, and how to reach it; empty where that is not known."""

    region: str
    endpoint: str


async def _create(call: Call) -> Reply:
    body: GroupBody = call.body
    fields: dict[str, Any] = {name: getattr(body, name) for name in body.__struct_fields__}
    keys = {name: _bytes_of(fields[name], name) for name in ("primary_key", "secondary_key")}
    group, made = await needed(call.services.enrolment).create(
        call.path["brand"], NewGroup(**(fields | keys)), by=call.principal.actor
    )
    return Reply(_keyed(group, made), etag=str(group.version))


async def _list(call: Call) -> Reply:
    rows = await needed(call.services.enrolment).groups(
        call.path["brand"], after=after(call) or "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    group = await needed(call.services.enrolment).group(call.path["brand"], call.path["group"])
    return Reply(group, etag=str(group.version))


async def _change(call: Call) -> Reply:
    values = given(call.body)
    if "max_devices" in values:
        values["max_devices"] = values["max_devices"] or 0
    group = await needed(call.services.enrolment).change(
        call.path["brand"],
        call.path["group"],
        GroupChanges(**values),
        by=call.principal.actor,
        version=version_of(call.if_match),
    )
    return Reply(group, etag=str(group.version))


async def _rotate(call: Call) -> Reply:
    group, keys = await needed(call.services.enrolment).rotate(
        call.path["brand"], call.path["group"], call.body.key, by=call.principal.actor
    )
    return Reply(_keyed(group, keys), etag=str(group.version))


async def _challenge(call: Call) -> Reply:
    _count(call)
    challenge, expires_at_s = await needed(call.services.enrolment).challenge(call.body.group, call.body.serial)
    return Reply(Challenge(challenge, expires_at_s))


async def _provision(call: Call) -> Reply:
    _count(call)
    body: ProvisionBody = call.body
    proof = _bytes_of(body.proof, "proof") or b""
    claim = ProvisioningClaim(
        body.group, body.serial, body.challenge, proof, body.certificates, body.country, body.firmware
    )
    found = await needed(call.services.enrolment).provision(claim)
    here = found.device is not None
    reply = ProvisionedReply(
        region=found.region,
        endpoint=found.endpoint,
        device=found.device,
        token=found.token if here else None,
        brand=found.brand if here else None,
        product=found.product if here else None,
        desired_version=found.desired_version if here else None,
        reported_version=found.reported_version if here else None,
    )
    return Reply(reply)


async def _directory(call: Call) -> Reply:
    hashed = call.path["hash"]
    found = await needed(call.services.directory).home_of(hashed)
    if found is None:
        raise NotFoundError("That is not known here.")
    endpoint = needed(call.services.region_endpoint)(found)
    return Reply(DirectoryEntry(found, endpoint))


def _count(call: Call) -> None:
    """Count a request of a device that nobody knows yet. Raises: ThrottledError."""
    if call.services.provisioning_rates is not None:
        by_address, by_serial = call.services.provisioning_rates
        by_address.take(quota_address(call.address))
        by_serial.take(f"{call.body.group} {call.body.serial}")


def _keyed(group: EnrolmentGroup, keys: GroupKeys) -> KeyedGroupReply:
    return KeyedGroupReply(group, _text_of(keys.primary), _text_of(keys.secondary))


def _text_of(key: bytes | None) -> str | None:
    return None if key is None else base64.b64encode(key).decode()


def _bytes_of(text: str | None, name: str) -> bytes | None:
    """Raises: Fault."""
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"{name} is base64.", name) from None


_P = Permission
_ALL, _ONE = "/brands/{brand}/enrolment-groups", "/brands/{brand}/enrolment-groups/{group}"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_enrolment_groups", "The enrolment groups of a brand.", "enrolment", _P.BRAND_ENROL, _list),
        query=PageQuery,
        reply=Page[EnrolmentGroup],
    ),
    Operation(
        *("POST", _ALL, "create_enrolment_group", "Make an enrolment group; its keys are shown once.", "enrolment"),
        *(_P.BRAND_ENROL, _create),
        body=GroupBody,
        reply=KeyedGroupReply,
        status=201,
        errors=("already_exists",),
    ),
    Operation(
        *("GET", _ONE, "get_enrolment_group", "An enrolment group, by id or name.", "enrolment", _P.BRAND_ENROL, _get),
        reply=EnrolmentGroup,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_enrolment_group", "Disable, limit or otherwise change an enrolment group."),
        *("enrolment", _P.BRAND_ENROL, _change),
        body=GroupPatch,
        reply=EnrolmentGroup,
        etag=True,
    ),
    Operation(
        *("POST", f"{_ONE}/rotate", "rotate_enrolment_key", "Replace a key of an enrolment group.", "enrolment"),
        *(_P.BRAND_ENROL, _rotate),
        body=KeyWanted,
        reply=KeyedGroupReply,
    ),
    Operation(
        *("POST", "/provision/challenge", "ask_challenge", "A challenge for a device that enrols.", "enrolment"),
        *(None, _challenge),
        body=ChallengeBody,
        reply=Challenge,
        max_body_bytes=MAX_PROVISION_BYTES,
    ),
    Operation(
        *("POST", "/provision", "provision", "Take a device in that proves whose it is.", "enrolment"),
        *(None, _provision),
        body=ProvisionBody,
        reply=ProvisionedReply,
        errors=("unauthorized", "conflict"),
        max_body_bytes=MAX_PROVISION_BYTES,
    ),
    Operation(
        *("GET", "/directory/{hash}", "get_directory_entry", "The region of a serial number or login, by its hash."),
        *("enrolment", _P.REGION_READ, _directory),
        reply=DirectoryEntry,
    ),
)
