"""Enrolment groups, and provisioning: a device that nobody touched proves whose it is and gets a token."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from entendre.core.clock import Clock
from entendre.core.errors import AlreadyExistsError, InvalidInputError, UnauthorizedError
from entendre.fleet.certificates import check_certificate, checked_authority
from entendre.fleet.challenges import NONCE_BYTES, challenge_for, check_challenge
from entendre.fleet.enrolment import (
    KEY_BYTES,
    MAX_KEY_BYTES,
    MIN_KEY_BYTES,
    clean_country,
    clean_regions,
    clean_serial,
    proof_text,
    proves,
)
from entendre.ports.fleet_devices import (
    EnrolmentGroup,
    GroupChanges,
    GroupKeys,
    NewGroup,
    Provisioned,
    ProvisioningClaim,
)
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.device_rows import FleetRows, clean_label
from entendre.store.fleet.directory import CHALLENGES, CellSecrets, FleetDirectory
from entendre.store.fleet.group_rows import GroupRows, KeyedGroup
from entendre.store.fleet.provisioning import Claim, provisioned
from entendre.system import new_id

MAX_GROUPS = 1_000
"""Groups of one brand."""
MAX_GROUP_CHARS = 64
MAX_DEVICES = 100_000_000


@dataclass(frozen=True, slots=True)
class Regions:
    """The region that this server is, and where the others are reached."""

    here: str = "home"
    endpoint: str = ""
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> frozenset[str]:
        """Every region that a device may be of."""
        return frozenset({self.here, *self.others})

    def endpoint_of(self, region: str) -> str:
        """How devices reach a region; empty where that is not known."""
        return self.others.get(region, "") or (self.endpoint if region == self.here else "")


class FleetEnrolment:
    """Implements `ports/fleet_devices.py:Enrolment`."""

    def __init__(self, database: Database, clock: Clock, regions: Regions, directory: FleetDirectory) -> None:
        self._database = database
        self._clock = clock
        self._regions = regions
        self._directory = directory
        self._secrets = CellSecrets(database, clock, regions.here)

    # -- groups ------------------------------------------------------------------------------------------------------

    async def create(self, brand: str, new: NewGroup, *, by: str) -> tuple[EnrolmentGroup, GroupKeys]:
        """A new group, and its keys where it has any. Raises: InvalidInputError, AlreadyExistsError."""
        made, keys = self._made(brand, new, by)

        def work(connection: Connection) -> EnrolmentGroup:
            groups = self._groups(connection)
            product, _ = FleetRows(connection, self._regions.here, groups.now_s).product(brand, new.product)
            if groups.count(brand) >= MAX_GROUPS:
                raise InvalidInputError(f"A brand has at most {MAX_GROUPS} enrolment groups.")
            group = replace(made, product=product)
            if not groups.insert(group, keys.primary, keys.secondary):
                raise AlreadyExistsError("There is an enrolment group of this name.")
            groups.note(group, "created", by, {"kind": group.kind, "product": product})
            return group

        return await self._database.write(work), keys

    async def groups(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[EnrolmentGroup, ...]:
        """Groups in the order of their ids, after one."""
        return await self._database.read(lambda connection: self._groups(connection).page(brand, after, limit))

    async def group(self, brand: str, group: str) -> EnrolmentGroup:
        """One group, by id or name. Raises: NotFoundError."""
        return await self._database.read(lambda connection: self._groups(connection).wanted(brand, group))

    async def change(
        self, brand: str, group: str, changes: GroupChanges, *, by: str, version: int | None = None
    ) -> EnrolmentGroup:
        """Change a group. Raises: NotFoundError, InvalidInputError, StaleError."""
        values = self._values_of(changes)

        def work(connection: Connection) -> EnrolmentGroup:
            groups = self._groups(connection)
            found = groups.wanted(brand, group, version)
            if "ca_pem" in values and found.kind != "x509":
                raise InvalidInputError("This group has keys, no authority.")
            return groups.update(found, "changed", by, **values) if values else found

        return await self._database.write(work)

    async def rotate(
        self, brand: str, group: str, which: Literal["primary", "secondary"], *, by: str
    ) -> tuple[EnrolmentGroup, GroupKeys]:
        """A new key in the place of one: what was derived from the old no longer proves anything.

        Raises: NotFoundError, InvalidInputError.
        """
        key = secrets.token_bytes(KEY_BYTES)

        def work(connection: Connection) -> EnrolmentGroup:
            groups = self._groups(connection)
            found = groups.wanted(brand, group)
            if found.kind != "symmetric":
                raise InvalidInputError("This group has an authority, no keys.")
            return groups.update(found, "key_rotated", by, **{f"{which}_key": key})

        changed = await self._database.write(work)
        return changed, GroupKeys(primary=key) if which == "primary" else GroupKeys(secondary=key)

    # -- provisioning ------------------------------------------------------------------------------------------------

    async def challenge(self, group: str, serial: str) -> tuple[str, float]:
        """A text to prove oneself with, good once, and until when. It tells nothing of whether the group exists.

        Raises: InvalidInputError.
        """
        secret = await self._secrets.get(CHALLENGES)
        nonce = secrets.token_bytes(NONCE_BYTES)
        return challenge_for(secret, group, clean_serial(serial), self._clock.wall(), nonce)

    async def provision(self, claim: ProvisioningClaim) -> Provisioned:
        """Take a device in. Raises: UnauthorizedError, ForbiddenError, ConflictError, InvalidInputError."""
        serial, country = clean_serial(claim.serial), clean_country(claim.country)
        secret = await self._secrets.get(CHALLENGES)
        used, end_s = check_challenge(secret, claim.group, serial, claim.challenge, self._clock.wall())
        keyed = await self._database.read(lambda connection: self._groups(connection).keyed(claim.group))
        if keyed is None:
            raise UnauthorizedError("The proof does not fit.")
        await self._check_proof(keyed, claim, serial)
        hashed = await self._directory.serial_hash(keyed.group.brand, serial)
        proven = Claim(keyed.group, serial, used, end_s, hashed, country, claim.firmware)

        def work(connection: Connection) -> Provisioned:
            return provisioned(self._groups(connection), proven, self._regions.known)

        found = await self._database.write(work)
        return replace(found, endpoint=self._regions.endpoint_of(found.region))

    async def _check_proof(self, keyed: KeyedGroup, claim: ProvisioningClaim, serial: str) -> None:
        """Raises: UnauthorizedError."""
        group = keyed.group
        if group.kind == "symmetric":
            if not any(proves(key, group.id, serial, claim.challenge, claim.proof) for key in keyed.keys):
                raise UnauthorizedError("The proof does not fit.")
            return
        message = proof_text(group.id, serial, claim.challenge)
        given = (group.ca_pem or "", claim.chain_pem, serial, message, claim.proof, self._clock.wall())
        await asyncio.to_thread(check_certificate, *given)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _groups(self, connection: Connection) -> GroupRows:
        return GroupRows(connection, self._regions.here, self._clock.wall())

    def _made(self, brand: str, new: NewGroup, by: str) -> tuple[EnrolmentGroup, GroupKeys]:
        """A group to be, without its product. Raises: InvalidInputError."""
        name = clean_label("group", new.name)
        now_s = self._clock.wall()
        if new.kind == "x509":
            if new.ca_pem is None or new.primary_key is not None or new.secondary_key is not None:
                raise InvalidInputError("A group of kind x509 has an authority (ca_pem) and no keys.")
            authority, keys = checked_authority(new.ca_pem, now_s), GroupKeys()
        else:
            if new.ca_pem is not None:
                raise InvalidInputError("A group of kind symmetric has keys and no authority.")
            authority, keys = None, GroupKeys(_key(new.primary_key), _key(new.secondary_key))
        return EnrolmentGroup(
            id=_group_id(new.id),
            brand=brand,
            product="",
            name=name,
            kind=new.kind,
            ca_pem=authority,
            regions=clean_regions(new.regions or {}, self._regions.known),
            max_devices=_limit(new.max_devices),
            enabled=True,
            created_at_s=now_s,
            created_by=by,
            version=1,
        ), keys

    def _values_of(self, changes: GroupChanges) -> dict[str, Any]:
        """The columns that are to change. Raises: InvalidInputError."""
        values: dict[str, Any] = {}
        if changes.enabled is not None:
            values["enabled"] = int(changes.enabled)
        if changes.max_devices is not None:
            values["max_devices"] = _limit(changes.max_devices)
        if changes.regions is not None:
            values["regions"] = json.dumps(clean_regions(changes.regions, self._regions.known))
        if changes.ca_pem is not None:
            values["ca_pem"] = checked_authority(changes.ca_pem, self._clock.wall())
        return values


def _key(given: bytes | None) -> bytes:
    if given is None:
        return secrets.token_bytes(KEY_BYTES)
    if not MIN_KEY_BYTES <= len(given) <= MAX_KEY_BYTES:
        raise InvalidInputError(f"A key has {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes.")
    return given


def _limit(devices: int | None) -> int | None:
    if not devices:
        return None
    if not 1 <= devices <= MAX_DEVICES:
        raise InvalidInputError(f"A group takes 1 to {MAX_DEVICES} devices; 0 is no limit.")
    return devices


def _group_id(given: str | None) -> str:
    return new_id() if given is None else clean_serial(given)
