"""Open connections of devices, ended when their admission ends, whichever process ended it.

A revocation is announced in the outbox by the transaction that makes it; one indexed read a second finds it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from entendre.core.clock import Clock
from entendre.core.device import Admitted, Refusal
from entendre.core.errors import EntendreError
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.device_rows import TOPIC, DeviceRows

log = logging.getLogger(__name__)

POLL_S = 1.0
"""How often changes of other processes are looked for; a change of this process is seen at once."""
ENDING = frozenset({"revoked", "forgotten", "rebound"})


@dataclass(eq=False, slots=True)
class _Watcher:
    admitted: Admitted
    ended: Callable[[Refusal], None]
    checked: bool = False


class _Pins(NamedTuple):
    client: str
    revoked: bool


class DeviceWatch:
    """The watchers of one process. `run` is their task."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._watchers: set[_Watcher] = set()
        self._seq: int | None = None
        self._wake = asyncio.Event()

    def add(self, admitted: Admitted, ended: Callable[[Refusal], None]) -> Callable[[], None]:
        """Watch an admission; returns how to stop."""
        watcher = _Watcher(admitted, ended)
        self._watchers.add(watcher)
        return lambda: self._watchers.discard(watcher)

    def wake(self) -> None:
        """Look now: something was changed here."""
        self._wake.set()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
            except EntendreError as error:
                log.warning("changes of devices could not be read", extra={"code": error.code})
            try:
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    async def look(self) -> None:
        """End what was ended since the last look. Raises: StoreError."""
        fresh = [each for each in self._watchers if not each.checked]
        ids = tuple({each.admitted.record.id for each in fresh})
        ended, pins = await self._database.read(lambda connection: self._read(connection, ids))
        for each in fresh:
            each.checked = True
        for watcher in list(self._watchers):
            reason = self._reason(watcher, ended, pins)
            if reason is not None:
                self._end(watcher, reason)

    def _reason(self, watcher: _Watcher, ended: set[str], pins: dict[str, _Pins | None]) -> Refusal | None:
        record, expires_at_s = watcher.admitted.record, watcher.admitted.expires_at_s
        if record.id in ended:
            return Refusal.REVOKED
        if record.id in pins:
            now = pins[record.id]
            if now is None or now.revoked or now.client != record.client:
                return Refusal.REVOKED
        if expires_at_s is not None and expires_at_s <= self._clock.wall():
            return Refusal.TOKEN_EXPIRED
        return None

    def _end(self, watcher: _Watcher, reason: Refusal) -> None:
        self._watchers.discard(watcher)
        log.info("a device's access ended", extra={"device": watcher.admitted.record.id, "reason": reason.value})
        try:
            watcher.ended(reason)
        except Exception:  # one gateway's bug must not keep another's connection open
            log.exception("a connection could not be ended")

    def _read(self, connection: Connection, ids: tuple[str, ...]) -> tuple[set[str], dict[str, _Pins | None]]:
        """Devices that were ended since the last read, and what is pinned now of those that were not read yet."""
        newest = int(connection.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()[0])
        last = newest if self._seq is None else self._seq
        sql = "SELECT subject, change FROM outbox WHERE seq > ? AND seq <= ? AND region = ? AND topic = ?"
        events = connection.execute(sql, (last, newest, self._region, TOPIC))
        ended = {subject for subject, change in events if change in ENDING}
        rows = DeviceRows(connection, self._region, self._clock.wall())
        pins: dict[str, _Pins | None] = {}
        for each in ids:
            record = rows.device(each)
            pins[each] = None if record is None else _Pins(record.client, record.revoked_at_s is not None)
        self._seq = newest
        return ended, pins
