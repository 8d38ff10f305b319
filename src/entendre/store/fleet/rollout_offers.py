"""Offers and reports: who gets a release now, and what devices say of it. Within one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from entendre.fleet import updates
from entendre.fleet.releases import key_id, read_manifest
from entendre.fleet.rollouts import OFFERING, SHOWN, RolloutState, rate_left, room_for_all, room_in
from entendre.fleet.updates import MAX_DETAIL_CHARS, UNDER_WAY, DeviceState
from entendre.fleet.windows import is_open
from entendre.ports.rollouts import Offer, ReleaseReport
from entendre.store.fleet.rollout_rows import BY_ITSELF, DeviceRow, RolloutRow, RolloutRows

TIMED_OUT_AT_ONCE = 500
CANCELLED_AT_ONCE = 1_000

Place = tuple[RolloutRow, DeviceRow]


def standing_offer(places: tuple[Place, ...]) -> Offer | None:
    """The offer that a device has already and that holds still."""
    for rollout, row in places:
        if row.update.state in UNDER_WAY and rollout.state in SHOWN and rollout.release_state == "published":
            return offer_of(rollout, row)
    return None


def may_want(places: tuple[Place, ...]) -> bool:
    """Whether a device could get an offer: whether that is so is decided where it is written."""
    return any(row.update.state == DeviceState.WAITING and rollout.state in OFFERING for rollout, row in places)


def waits(places: tuple[Place, ...]) -> bool:
    """Whether a device waits in a group that gets offers."""
    return any(
        row.update.state == DeviceState.WAITING and rollout.state in OFFERING and 0 <= row.group <= rollout.group
        for rollout, row in places
    )


def ask(rows: RolloutRows, brand: str, device: str) -> tuple[Offer | None, bool]:
    """What a device is to install, and whether the offer is new."""
    places = rows.rollouts_of_device(brand, device)
    standing = standing_offer(places)
    if standing is not None:
        return standing, False
    if any(row.update.state in UNDER_WAY for _, row in places):  # one at a time, also of one that was stopped
        return None, False
    for rollout, row in places:
        made = _offered(rows, rollout, row)
        if made is not None:
            return made, True
    return None, False


def _offered(rows: RolloutRows, rollout: RolloutRow, row: DeviceRow) -> Offer | None:
    """Make an offer if the rules let this device have one now."""
    if rollout.state not in OFFERING or row.update.state != DeviceState.WAITING or not 0 <= row.group <= rollout.group:
        return None
    if rollout.release_state != "published" or not is_open(rollout.plan.window, rows.now_s, row.zone):
        return None
    if not _may_be_offered(rows, rollout):
        return None
    reason = updates.unfit(row.running, rollout.number, read_manifest(rollout.manifest).minimum)
    if reason is not None:
        rows.move(rollout, row, updates.cancelled(row.update, reason), by=BY_ITSELF)
        rows.settle(rollout)
        return None
    left = rate_left(rollout.plan, rollout.rate_left, rollout.rate_at_s, rows.now_s)
    counts = rows.counts(rollout)
    if room_for_all(rollout.plan, counts, int(left)) < 1:
        return None
    if not row.update.struck and room_in(rollout.plan.groups[row.group], counts[row.group]) < 1:
        return None
    rows.set_rate(rollout, left - 1)
    return offer_of(rollout, rows.move(rollout, row, updates.offered(row.update), by=BY_ITSELF))


def _may_be_offered(rows: RolloutRows, rollout: RolloutRow) -> bool:
    """Whether a key of the brand that was not revoked signed the release."""
    sql = "SELECT public_key FROM signing_keys WHERE region = ? AND brand = ? AND revoked_at_s IS NULL"
    found = rows.connection.execute(sql, (rows.region, rollout.brand)).fetchall()
    return any(key_id(bytes(row[0])) == rollout.signing_key for row in found)


def report(rows: RolloutRows, brand: str, device: str, said: ReleaseReport) -> None:
    """Take down what a device says, and let what follows follow."""
    detail = said.detail[:MAX_DETAIL_CHARS] if said.detail else None
    for rollout, row in rows.rollouts_of_device(brand, device):
        moved = row
        if said.running:
            moved = rows.set_running(rollout, moved, said.running)
            moved = rows.move(rollout, moved, updates.runs(moved.update, said.running, rollout.number))
        if said.said is not None and said.rollout == rollout.id:
            attempts = rollout.plan.max_attempts
            moved = rows.move(
                rollout, moved, updates.said(moved.update, said.said, said.attempt, detail, attempts), event=said.said
            )
        if moved.update != row.update:
            rows.settle(rollout)


def time_out(rows: RolloutRows) -> bool:
    """Fail devices that took too long; whether there are more."""
    sql = "SELECT rollout, device FROM rollout_devices WHERE region = ? AND deadline_s <= ? ORDER BY deadline_s LIMIT ?"
    due = rows.connection.execute(sql, (rows.region, rows.now_s, TIMED_OUT_AT_ONCE)).fetchall()
    for rollout, device in due:
        row, place = rows.rollout(rollout), rows.device(rollout, device)
        if row is None or place is None:
            continue
        rows.move(row, place, updates.timed_out(place.update, row.plan.max_attempts), event="timed_out", by=BY_ITSELF)
        rows.settle(row)
    return len(due) == TIMED_OUT_AT_ONCE


def cancel_aborted(rows: RolloutRows) -> bool:
    """Take the devices of aborted rollouts off their lists; whether there are more."""
    for rollout in rows.open_rollouts(RolloutState.ABORTED):
        wanted = (DeviceState.WAITING.value, DeviceState.OFFERED.value, CANCELLED_AT_ONCE)
        found = rows.devices(rollout.id, "d.state IN (?, ?) LIMIT ?", wanted)
        for row in found:
            rows.move(rollout, row, updates.cancelled(row.update, "aborted"), by=BY_ITSELF)
        if len(found) == CANCELLED_AT_ONCE:
            return True
        going = rows.devices(rollout.id, "d.state IN (?, ?) LIMIT 1", _BEGUN)
        if not going:
            rows.connection.execute(
                "UPDATE rollouts SET finished_at_s = ? WHERE region = ? AND id = ?",
                (rows.now_s, rows.region, rollout.id),
            )
    return False


_BEGUN = (DeviceState.DOWNLOADING.value, DeviceState.INSTALLING.value)


def offer_of(rollout: RolloutRow, row: DeviceRow) -> Offer:
    """An offer as a device is told of it."""
    return Offer(
        rollout=rollout.id,
        brand=rollout.brand,
        device=row.device,
        release=rollout.release,
        attempt=row.update.attempt,
        state=row.update.state.value,
        number=rollout.number,
        kind=rollout.kind,
        channel=rollout.channel,
        manifest=rollout.manifest,
        signature=rollout.signature,
        signing_key=rollout.signing_key,
    )


WANTING_AT_ONCE = 500


def wanting(rows: RolloutRows, devices: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of these devices (brand, id) that wait for an offer which a group of theirs may get."""
    found: set[str] = set()
    for rollout in rows.open_rollouts(*OFFERING):
        for at in range(0, len(devices), WANTING_AT_ONCE):
            some = tuple(device for _, device in devices[at : at + WANTING_AT_ONCE])
            sql = (
                "SELECT device, grp FROM rollout_devices WHERE region = ? AND rollout = ? AND state = ?"
                f" AND device IN ({', '.join('?' for _ in some)})"
            )
            values = (rows.region, rollout.id, DeviceState.WAITING.value, *some)
            waiting = rows.connection.execute(sql, values).fetchall()
            found.update(str(device) for device, group in waiting if 0 <= group <= rollout.group)
    return [each for each in devices if each[1] in found]


def ask_all(rows: RolloutRows, devices: Sequence[tuple[str, str]]) -> list[Offer]:
    """Offers that are made now."""
    answers = (ask(rows, brand, device) for brand, device in devices)
    return [offer for offer, is_new in answers if offer is not None and is_new]


def gone(rows: RolloutRows) -> list[tuple[str, str]]:
    """Some devices, with their rollouts, that wait and will never ask."""
    sql = (
        "SELECT d.device FROM rollout_devices d"
        " LEFT JOIN fleet_devices f ON f.region = d.region AND f.id = d.device"
        " WHERE d.region = ? AND d.rollout = ? AND d.state = ? AND coalesce(f.state, 'revoked') = 'revoked' LIMIT ?"
    )
    found: list[tuple[str, str]] = []
    for rollout in rows.open_rollouts(*SHOWN):
        values = (rows.region, rollout.id, DeviceState.WAITING.value, CANCELLED_AT_ONCE)
        found += [(rollout.id, str(row[0])) for row in rows.connection.execute(sql, values).fetchall()]
    return found


def cancel_gone(rows: RolloutRows, found: Sequence[tuple[str, str]]) -> None:
    """Take devices off the lists of their rollouts."""
    for rollout, device in found:
        row, place = rows.rollout(rollout), rows.device(rollout, device)
        if row is not None and place is not None and place.update.state == DeviceState.WAITING:
            rows.move(row, place, updates.cancelled(place.update, "revoked"), by=BY_ITSELF)
            rows.settle(row)
