"""The twins of one region. Patches that arrive together are merged here in order and written in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from entendre.core.clock import Clock
from entendre.core.errors import EntendreError, NotFoundError
from entendre.fleet.twins import checked_patch
from entendre.ports.fleet_twins import TwinChange, TwinPatch, TwinRecord
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.twin_rows import TwinBatch, twin_of
from entendre.store.gatherer import MAX_BATCH, Gatherer

_Item = tuple[TwinPatch, str]


class FleetTwins:
    """Implements `ports/fleet_twins.py:Twins`. Use from one event loop."""

    def __init__(self, database: Database, clock: Clock, region: str = "home") -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._patches: Gatherer[_Item, TwinChange] = Gatherer(database, self._apply)

    async def get(self, brand: str, device: str) -> TwinRecord:
        """A whole twin. Raises: NotFoundError."""
        found = await self._database.read(lambda connection: twin_of(connection, self._region, brand, device))
        if found is None:
            raise NotFoundError("There is no such device.")
        return found

    async def patch(self, patch: TwinPatch, *, by: str) -> TwinChange:
        """Change a section. Raises: NotFoundError, InvalidInputError, TooLargeError, StaleError, OverloadedError."""
        checked_patch(patch.section, patch.patch)
        return await self._patches.put((patch, by))

    async def patch_many(self, patches: Sequence[TwinPatch], *, by: str) -> list[TwinChange | Exception]:
        """Change many sections in few transactions: a change, or what `patch` would raise, for each in order."""
        results: list[TwinChange | Exception] = []
        for start in range(0, len(patches), MAX_BATCH):
            results += await self._write_checked(patches[start : start + MAX_BATCH], by)
        return results

    async def _write_checked(self, patches: Sequence[TwinPatch], by: str) -> list[TwinChange | Exception]:
        faults = [_fault_of(patch) for patch in patches]
        good = [(patch, by) for patch, fault in zip(patches, faults, strict=True) if fault is None]
        done = iter(await self._database.write(lambda connection: self._apply(connection, good)) if good else ())
        return [next(done) if fault is None else fault for fault in faults]

    def _apply(self, connection: Connection, items: Sequence[_Item]) -> list[TwinChange | Exception]:
        batch = TwinBatch(connection, self._region, self._clock.wall())
        batch.load(patch for patch, _ in items)
        results: list[TwinChange | Exception] = []
        for patch, by in items:
            try:
                results.append(batch.apply(patch, by))
            except EntendreError as error:
                results.append(error)
        batch.save()
        return results


def _fault_of(patch: TwinPatch) -> Exception | None:
    try:
        checked_patch(patch.section, patch.patch)
    except EntendreError as error:
        return error
    return None
