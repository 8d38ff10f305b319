"""What happens to a device that has proven itself, within one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from entendre.core.device import label_of
from entendre.core.errors import ConflictError, ForbiddenError, StoreError, UnauthorizedError
from entendre.fleet.enrolment import region_for
from entendre.fleet.twins import Versions
from entendre.ports.fleet_devices import EnrolmentGroup, FleetDevice, Provisioned
from entendre.store.feed import announce
from entendre.store.fleet.credentials import mint
from entendre.store.fleet.device_rows import FirstValues, FleetRows
from entendre.store.fleet.directory import enter, home_of
from entendre.store.fleet.group_rows import GroupRows
from entendre.store.fleet.twin_rows import firmware_entry, twin_of

DROPPED_AT_ONCE = 100
BY = "enrolment"


@dataclass(frozen=True, slots=True)
class Claim:
    """A device whose proof was right. `used`: the name of its challenge; `hashed`: its serial in the directory."""

    group: EnrolmentGroup
    serial: str
    used: str
    end_s: float
    hashed: str
    country: str | None
    firmware: str


def provisioned(groups: GroupRows, claim: Claim, regions: frozenset[str]) -> Provisioned:
    """Take the device in, or say which region it is of. Raises: UnauthorizedError, ForbiddenError, ConflictError."""
    _use_up(groups, claim)
    now = groups.keyed(claim.group.id)
    if now is None or now.group.version != claim.group.version:
        raise ConflictError("The enrolment group was changed meanwhile. Try again.")
    if not claim.group.enabled:
        raise ForbiddenError("The enrolment group is disabled.")
    rows = FleetRows(groups.connection, groups.region, groups.now_s)
    found = rows.of_serial(claim.group.brand, claim.serial)
    home = _home(groups, claim, found)
    if home != groups.region:
        if home not in regions:
            raise StoreError("The device's region can't be reached from here.", detail=f"region {home}")
        return Provisioned(home, "")
    device = _first(rows, claim) if found is None else _again(rows, claim, found)
    return _answer(rows, device)


def _use_up(groups: GroupRows, claim: Claim) -> None:
    """A challenge counts once. Raises: UnauthorizedError."""
    sql = "INSERT INTO used_challenges (region, id, expires_at_s) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    if groups.connection.execute(sql, (groups.region, claim.used, claim.end_s)).rowcount != 1:
        raise UnauthorizedError("The challenge was used. Ask for a new one.")
    sql = (
        "DELETE FROM used_challenges WHERE region = ? AND id IN"
        " (SELECT id FROM used_challenges WHERE region = ? AND expires_at_s < ? LIMIT ?)"
    )
    groups.connection.execute(sql, (groups.region, groups.region, groups.now_s, DROPPED_AT_ONCE))


def _home(groups: GroupRows, claim: Claim, found: FleetDevice | None) -> str:
    """The region of a device: where it is, else what the directory says, else what its group says of its country."""
    if found is not None:
        wanted = groups.region
    else:
        known = home_of(groups.connection, groups.region, claim.hashed)
        wanted = known or region_for(claim.group.regions, claim.country, groups.region)
    return enter(groups.connection, groups.region, claim.hashed, "serial", wanted, groups.now_s)


def _first(rows: FleetRows, claim: Claim) -> FleetDevice:
    """A device that was never here. Raises: ForbiddenError when its group is full, or its brand has ended."""
    group = claim.group
    sql = "SELECT 1 FROM brands WHERE region = ? AND id = ? AND ended_at_s IS NOT NULL"
    if rows.connection.execute(sql, (rows.region, group.brand)).fetchone() is not None:
        raise ForbiddenError("The brand takes in no devices any more.")
    _check_room(rows, group)
    product, kind = rows.product(group.brand, group.product)
    firmware = label_of(claim.firmware)
    values = FirstValues(
        brand=group.brand,
        product=product,
        kind=kind,
        serial=claim.serial,
        name=claim.serial,
        by=f"{BY}:{group.id}",
        country=claim.country,
        group=group.id,
        firmware=firmware,
    )
    device = rows.found(rows.insert(values))
    assert device is not None
    rows.announce(device, "provisioned", {"group": group.id})
    return device


def _again(rows: FleetRows, claim: Claim, found: FleetDevice) -> FleetDevice:
    """A device that is known: the same id; the group that took it in is the only one that may again.

    Raises: ForbiddenError.
    """
    group = claim.group
    if found.state == "revoked":
        raise ForbiddenError("The device was revoked.")
    if found.enrolment_group not in (None, group.id):
        raise ForbiddenError("The device belongs to another enrolment group.")
    if found.product != group.product:
        raise ForbiddenError("The device is registered as another product.")
    if found.enrolment_group is None:
        _check_room(rows, group)
        first = {"country": found.country or claim.country, "enrolment_group": group.id}
        rows.update(group.brand, found.id, f"{BY}:{group.id}", **first)
    firmware = label_of(claim.firmware)
    if firmware and firmware != found.firmware:
        sql = "UPDATE fleet_devices SET firmware = ? WHERE region = ? AND brand = ? AND id = ?"
        rows.connection.execute(sql, (firmware, rows.region, group.brand, found.id))
        announce(
            rows.connection, rows.region, rows.now_s, [firmware_entry(group.brand, found.id, found.household, firmware)]
        )
    now = rows.as_now(found)
    rows.announce(now, "provisioned", {"group": group.id, "again": True})
    return now


def _check_room(rows: FleetRows, group: EnrolmentGroup) -> None:
    if group.max_devices is not None and rows.count_of_group(group.brand, group.id) >= group.max_devices:
        raise ForbiddenError("The enrolment group is full.")


def _answer(rows: FleetRows, device: FleetDevice) -> Provisioned:
    twin = twin_of(rows.connection, rows.region, device.brand, device.id)
    versions = Versions() if twin is None else Versions(twin.tags_version, twin.desired_version, twin.reported_version)
    sql = "SELECT name FROM brands WHERE region = ? AND id = ?"
    brand = rows.connection.execute(sql, (rows.region, device.brand)).fetchone()
    return Provisioned(
        region=rows.region,
        endpoint="",
        brand=device.brand if brand is None else brand[0],
        product=device.product_name or device.product,
        device=device.id,
        token=mint(rows, device),
        desired_version=versions.desired,
        reported_version=versions.reported,
    )
