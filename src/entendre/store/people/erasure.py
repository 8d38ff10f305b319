"""The end of somebody's data, beyond the rows too: free pages, caches, and backups that are restored later."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entendre.core.clock import Clock
from entendre.core.errors import EntendreError, NotFoundError, StoreError
from entendre.ports.households import Erased, ErasedKind
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.people.erase import erase, erase_lot, exists
from entendre.store.people.subjects import TABLES
from entendre.system import new_id

log = logging.getLogger(__name__)

ERASURES_FILE = "erasures.jsonl"
"""In the data folder, outside the database: what a backup that is restored must lose again."""
Forget = Callable[[ErasedKind, str], Awaitable[None]]
"""Told whose data is about to go, or is gone: what is kept of it in memory or in files of its own goes too."""


@dataclass(frozen=True, slots=True)
class ErasureLine:
    """One erasure, by ids alone."""

    id: str
    region: str
    kind: ErasedKind
    subject: str
    at_s: float
    by: str


class ErasureStore:
    """Implements `ports.households.Erasure`.

    `leave` is called before: whoever still writes such data stops. `forget` afterwards: caches are emptied.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        region: str,
        folder: Path,
        *,
        leave: Sequence[Forget] = (),
        forget: Sequence[Forget] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._file = folder / ERASURES_FILE
        self._leave = leave
        self._forget = forget

    async def household(self, household: str, *, by: str) -> Erased:
        """Its members keep their accounts, its devices start anew. Raises: NotFoundError."""
        return await self._erase("household", household, by)

    async def account(self, account: str, *, by: str) -> Erased:
        """Households where no other adult is left go too. Raises: NotFoundError."""
        return await self._erase("account", account, by)

    async def device(self, device: str, *, brand: str | None = None, by: str) -> Erased:
        """`brand`: whose device it must be. Raises: NotFoundError."""
        if brand is not None and not await self._database.read(lambda of: self._is_of(of, brand, device)):
            raise NotFoundError("There is no such device.")
        return await self._erase("device", device, by)

    async def resume(self) -> int:
        """Do what was begun and not done, or what a restored backup brought back; how many erasures."""
        done = await asyncio.to_thread(read_erasures, self._file)
        found = await self._database.write(lambda connection: reapply(connection, done, self._region))
        if found:
            await self._database.scrub([table.name for table in TABLES])
        return found

    async def _erase(self, kind: ErasedKind, subject: str, by: str) -> Erased:
        if not await self._database.read(lambda connection: exists(connection, self._region, kind, subject)):
            raise NotFoundError(f"There is no such {kind}.")
        line = ErasureLine(new_id(), self._region, kind, subject, self._clock.wall(), by)
        await asyncio.to_thread(append_erasure, self._file, line)
        await _call_all(self._leave, kind, subject)
        rows = 0
        while lot := await self._database.write(lambda of: erase_lot(of, self._region, kind, subject)):
            rows += lot
        rows += await self._database.write(lambda connection: _done(connection, line))
        await _call_all(self._forget, kind, subject)
        await self._database.scrub([table.name for table in TABLES if table.condition(kind) is not None])
        return Erased(line.id, kind, subject, line.at_s, rows)

    def _is_of(self, connection: Connection, brand: str, device: str) -> bool:
        sql = "SELECT 1 FROM fleet_devices WHERE region = ? AND brand = ? AND id = ?"
        return connection.execute(sql, (self._region, brand, device)).fetchone() is not None


async def _call_all(hooks: Sequence[Forget], kind: ErasedKind, subject: str) -> None:
    """One that fails must not keep the others from forgetting."""
    for hook in hooks:
        try:
            await hook(kind, subject)
        except (EntendreError, OSError) as error:
            log.error("a cache kept what is erased", extra={"reason": type(error).__name__})


def append_erasure(file: Path, line: ErasureLine) -> None:
    """Note an erasure before it is done, durably. Blocks. Raises: StoreError."""
    fields: dict[str, Any] = {name: getattr(line, name) for name in ErasureLine.__slots__}
    try:
        with file.open("a", encoding="utf-8") as stream:
            file.chmod(0o600)
            stream.write(json.dumps(fields) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise StoreError("The erasure could not be noted.", detail=f"{file}: {error.strerror}") from error


def read_erasures(file: Path) -> tuple[ErasureLine, ...]:
    """Every erasure that was noted, oldest first. Blocks. Raises: StoreError for a damaged file."""
    try:
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        return tuple(ErasureLine(**json.loads(each)) for each in text.splitlines() if each.endswith("}"))
    except (OSError, ValueError, TypeError) as error:
        raise StoreError("The list of erasures can't be read.", detail=f"{file}: {error}") from error


def reapply(connection: Connection, lines: Sequence[ErasureLine], region: str | None = None) -> int:
    """Erase again what a database holds from before an erasure; how many were done. `region` None: of all.

    An erasure that the database knows of is left alone: what came since, under the same id, is newer than it.
    """
    done = 0
    for line in lines:
        if region is not None and line.region != region:
            continue
        sql = "SELECT 1 FROM erasures WHERE region = ? AND id = ?"
        if connection.execute(sql, (line.region, line.id)).fetchone() is None:
            _done(connection, line)
            done += 1
    return done


def _done(connection: Connection, line: ErasureLine) -> int:
    return erase(connection, line.region, line.kind, line.subject, by=line.by, now_s=line.at_s, erasure=line.id)
