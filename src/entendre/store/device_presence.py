"""When devices were last seen: kept in memory and written together, since nothing depends on the second."""

from __future__ import annotations

import asyncio
import logging

from entendre.core.clock import Clock
from entendre.core.errors import EntendreError
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.device_rows import DeviceRows
from entendre.store.fleet.bound import seen_in_fleet

log = logging.getLogger(__name__)

WRITE_EVERY_S = 60.0
"""How coarse `last_seen_at_s` is, and how long a firmware's version is known to this process only."""
MAX_WAITING = 100_000


class DevicePresence:
    """Sightings of one process. `run` is their task."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._waiting: dict[str, tuple[float, str]] = {}

    def note(self, device: str, firmware: str) -> None:
        """A device is there; `firmware` is empty where it did not say."""
        if len(self._waiting) < MAX_WAITING or device in self._waiting:
            known = self._waiting.get(device, (0.0, ""))[1]
            self._waiting[device] = (self._clock.wall(), firmware or known)

    async def run(self) -> None:
        """Write for ever, and once more at the end."""
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY_S)
                await self._try()
        finally:
            await self._try()

    async def write(self) -> None:
        """Write what was noted. Raises: StoreError."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return

        def work(connection: Connection) -> None:
            for device, (at_s, firmware) in waiting.items():
                rows = DeviceRows(connection, self._region, at_s)
                rows.seen(device, firmware)
                seen_in_fleet(rows, device, firmware)

        await self._database.write(work)

    async def _try(self) -> None:
        try:
            await self.write()
        except EntendreError as error:  # the next sighting is as good
            log.warning("who was seen could not be written", extra={"code": error.code})
