"""Open connections of the fleet's devices, ended when a device is revoked or forgotten, whichever process did it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from entendre.core.clock import Clock
from entendre.core.errors import EntendreError
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.device_rows import TOPIC
from entendre.store.device_watch import ENDING, POLL_S

log = logging.getLogger(__name__)

ASKED_AT_ONCE = 500
LOOKS_PER_CHECK = 30
"""How often it is looked whether the tokens of open connections still hold: each is replaced by another some day."""


class _Watcher:
    """One connection. Compared by identity."""

    def __init__(self, device: str, ended: Callable[[], None], credential: str) -> None:
        self.device = device
        self.ended = ended
        self.credential = credential


class FleetWatch:
    """The watchers of one process. `run` is their task; `on_ended` hears of every end before them."""

    def __init__(
        self, database: Database, clock: Clock, region: str = "home", on_ended: Callable[[], None] | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._on_ended = on_ended
        self._watchers: dict[str, set[_Watcher]] = {}
        self._fresh: set[str] = set()
        self._seq: int | None = None
        self._looks = 0

    def add(self, device: str, ended: Callable[[], None], credential: str = "") -> Callable[[], None]:
        """Call `ended` once when a device is revoked or forgotten, or its credential is over; returns how to stop."""
        watcher = _Watcher(device, ended, credential)
        self._watchers.setdefault(device, set()).add(watcher)
        self._fresh.add(device)
        return lambda: self._drop(watcher)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await self.look()
                self._looks += 1
                if self._looks % LOOKS_PER_CHECK == 0:
                    await self.check()
            except EntendreError as error:
                log.warning("changes of devices could not be read", extra={"code": error.code})
            await asyncio.sleep(POLL_S)

    async def look(self) -> None:
        """End what was ended since the last look, or before it was watched. Raises: StoreError."""
        fresh, self._fresh = tuple(self._fresh), set()
        try:
            ended = await self._database.read(lambda connection: self._read(connection, fresh))
        except EntendreError:
            self._fresh.update(fresh)
            raise
        if ended and self._on_ended is not None:
            self._on_ended()
        for device in ended:
            for watcher in list(self._watchers.get(device, ())):
                self._drop(watcher)
                self._end(watcher)

    async def check(self) -> None:
        """End the connections whose tokens are over. Raises: StoreError."""
        watchers = [each for some in self._watchers.values() for each in some if each.credential]
        for start in range(0, len(watchers), ASKED_AT_ONCE):
            asked = watchers[start : start + ASKED_AT_ONCE]
            named = tuple({each.credential for each in asked})
            good = await self._database.read(partial(self._holding, credentials=named))
            for watcher in asked:
                if watcher.credential not in good and watcher in self._watchers.get(watcher.device, ()):
                    self._drop(watcher)
                    self._end(watcher)

    def _holding(self, connection: Connection, credentials: tuple[str, ...]) -> set[str]:
        sql = (
            "SELECT id FROM device_credentials WHERE region = ? AND revoked_at_s IS NULL"
            " AND (expires_at_s IS NULL OR expires_at_s > ?)"
            f" AND id IN ({', '.join('?' * len(credentials))})"
        )
        return {row[0] for row in connection.execute(sql, (self._region, self._clock.wall(), *credentials))}

    def _drop(self, watcher: _Watcher) -> None:
        watchers = self._watchers.get(watcher.device)
        if watchers is not None:
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[watcher.device]

    def _end(self, watcher: _Watcher) -> None:
        log.info("a device's access ended", extra={"device": watcher.device})
        try:
            watcher.ended()
        except Exception:  # one gateway's bug must not keep another's connection open
            log.exception("a connection could not be ended")

    def _read(self, connection: Connection, fresh: tuple[str, ...]) -> set[str]:
        """Devices that were ended since the last read, and those of `fresh` that are over already."""
        newest = int(connection.execute("SELECT coalesce(max(seq), 0) FROM outbox").fetchone()[0])
        last = newest if self._seq is None else self._seq
        sql = "SELECT subject, change FROM outbox WHERE seq > ? AND seq <= ? AND region = ? AND topic = ?"
        events = connection.execute(sql, (last, newest, self._region, TOPIC))
        ended = {subject for subject, change in events if change in ENDING}
        for start in range(0, len(fresh), ASKED_AT_ONCE):
            asked = fresh[start : start + ASKED_AT_ONCE]
            sql = (
                "SELECT id FROM fleet_devices WHERE region = ? AND state <> 'revoked'"
                f" AND id IN ({', '.join('?' * len(asked))})"
            )
            there = {row[0] for row in connection.execute(sql, (self._region, *asked))}
            ended |= set(asked) - there
        self._seq = newest
        return ended
