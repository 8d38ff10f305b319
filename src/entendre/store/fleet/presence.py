"""Who is connected. Connections are counted in this process; a row changes with the first and the last of a device."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from entendre.core.clock import Clock
from entendre.core.device import label_of
from entendre.core.errors import EntendreError
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce
from entendre.store.fleet.twin_rows import firmware_entry, marks_for
from entendre.store.gatherer import Gatherer

log = logging.getLogger(__name__)

NODE = "server"
"""The process that holds connections: one writes a region."""
SEEN_EVERY_S = 60.0
"""How coarse `last_seen_at_s` is."""
MAX_SEEN = 100_000
STALE_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class _Sign:
    """What is to be written of a device: that it is online or not, or which firmware it runs."""

    device: str
    online: bool | None = None
    firmware: str | None = None


@dataclass(slots=True)
class _Known:
    """A device inside a batch."""

    brand: str
    household: str | None
    online: bool
    firmware: str
    since_s: float | None
    seen_s: float | None


class FleetPresence:
    """Implements `ports/fleet_devices.py:DevicePresence`. `start` before the doors open; `run` is its task."""

    def __init__(self, database: Database, clock: Clock, region: str = "home", node: str = NODE) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._node = node
        self._signs: Gatherer[_Sign, None] = Gatherer(database, self._write)
        self._connections: dict[str, int] = {}
        self._seen: dict[str, float] = {}

    async def start(self) -> None:
        """Nobody is connected to a process that has just begun. Raises: StoreError."""
        while await self._database.write(self._end_stale):
            pass

    async def run(self) -> None:
        """Write who was seen, for ever, and once more at the end."""
        try:
            while True:
                await asyncio.sleep(SEEN_EVERY_S)
                await self._try_to_write_seen()
        finally:
            await self._try_to_write_seen()

    async def connected(self, device: str) -> None:
        """A connection of a device opened. Raises: StoreError."""
        count = self._connections.get(device, 0)
        self._connections[device] = count + 1
        if count == 0:
            await self._signs.put(_Sign(device, online=True))

    async def disconnected(self, device: str) -> None:
        """A connection of a device closed. Raises: StoreError."""
        count = self._connections.pop(device, 0)
        if count > 1:
            self._connections[device] = count - 1
        elif count == 1:
            await self._signs.put(_Sign(device, online=False))

    def seen(self, device: str) -> None:
        """A device is there: coarse, cheap, written with others'."""
        if len(self._seen) < MAX_SEEN or device in self._seen:
            self._seen[device] = self._clock.wall()

    async def runs_firmware(self, device: str, firmware: str) -> None:
        """A device says what it runs; written at once if that is news. Raises: StoreError."""
        clean = label_of(firmware)
        if clean:
            await self._signs.put(_Sign(device, firmware=clean))

    async def write_seen(self) -> None:
        """Write who was seen. Raises: StoreError."""
        seen, self._seen = self._seen, {}
        rows = [(self._region, device, at_s) for device, at_s in seen.items()]
        if rows:
            await self._database.write(lambda connection: _save(connection, ("last_seen_at_s",), rows))

    # -- inside ------------------------------------------------------------------------------------------------------

    async def _try_to_write_seen(self) -> None:
        try:
            await self.write_seen()
        except EntendreError as error:  # the next sighting is as good
            log.warning("who was seen could not be written", extra={"code": error.code})

    def _write(self, connection: Connection, signs: Sequence[_Sign]) -> list[Exception | None]:
        now_s = self._clock.wall()
        before = self._known(connection, signs)
        after = {device: replace(known) for device, known in before.items()}
        entries: list[FeedEntry] = []
        for sign in signs:
            known = after.get(sign.device)
            if known is not None:
                entries += _applied(known, sign, now_s)
        rows = [
            (self._region, device, int(known.online), self._node, known.since_s, known.seen_s, known.firmware)
            for device, known in after.items()
            if known != before[device]
        ]
        if rows:
            _save(connection, ("online", "node", "connected_at_s", "last_seen_at_s", "firmware"), rows)
        if entries:
            announce(connection, self._region, now_s, entries)
        return [None] * len(signs)

    def _known(self, connection: Connection, signs: Sequence[_Sign]) -> dict[str, _Known]:
        marks, ids = marks_for(tuple(dict.fromkeys(sign.device for sign in signs)))
        sql = (
            "SELECT id, brand, household, online, firmware, connected_at_s, last_seen_at_s FROM fleet_devices"
            f" WHERE region = ? AND id IN ({marks})"
        )
        rows = connection.execute(sql, (self._region, *ids))
        return {row[0]: _Known(row[1], row[2], bool(row[3]), *row[4:]) for row in rows}

    def _end_stale(self, connection: Connection) -> int:
        sql = "SELECT id, brand, household FROM fleet_devices WHERE region = ? AND node = ? AND online = 1 LIMIT ?"
        stale = connection.execute(sql, (self._region, self._node, STALE_AT_ONCE)).fetchall()
        _save(connection, ("online",), [(self._region, device, 0) for device, _, _ in stale])
        now_s = self._clock.wall()
        announce(
            connection,
            self._region,
            now_s,
            [FeedEntry(brand, "presence", device, "offline", household) for device, brand, household in stale],
        )
        return len(stale)


def _applied(known: _Known, sign: _Sign, now_s: float) -> list[FeedEntry]:
    """Change what is known by a sign; what there is to announce of it."""
    if sign.firmware is not None and sign.firmware != known.firmware:
        known.firmware = sign.firmware
        return [firmware_entry(known.brand, sign.device, known.household, sign.firmware)]
    if sign.online is None or sign.online == known.online:
        return []
    known.online, known.seen_s = sign.online, now_s
    if sign.online:
        known.since_s = now_s
    change = "online" if sign.online else "offline"
    return [FeedEntry(known.brand, "presence", sign.device, change, known.household)]


def _save(connection: Connection, columns: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> None:
    connection.update_many("fleet_devices", ("region", "id"), columns, rows)
