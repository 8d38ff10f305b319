"""Messages of QoS 1 on their way to one client: each is confirmed by its packet id, and few wait at a time."""

from __future__ import annotations

import asyncio

from entendre.core.errors import OverloadedError, UnavailableError

_LAST_PACKET_ID = 65_535


class Unconfirmed:
    """QoS 1 messages on their way to one client."""

    __slots__ = ("_last_id", "_limit", "_waiting")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._last_id = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}

    def open(self) -> tuple[int, asyncio.Future[None]]:
        """A packet id, and what is done when it is confirmed. Raises: OverloadedError when too many wait."""
        if len(self._waiting) >= self._limit:
            raise OverloadedError("The device has not confirmed earlier messages yet.")
        while True:
            self._last_id = self._last_id % _LAST_PACKET_ID + 1
            if self._last_id not in self._waiting:
                break
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[self._last_id] = done
        return self._last_id, done

    def confirmed(self, packet_id: int) -> None:
        """The client has it. Unknown ids are ignored, as after a confirmation that came twice."""
        done = self._waiting.pop(packet_id, None)
        if done is not None and not done.done():
            done.set_result(None)

    def given_up(self, packet_id: int) -> None:
        """Nobody waits for it any more; its id stays taken until the client confirms it."""
        done = self._waiting.get(packet_id)
        if done is not None:
            done.cancel()

    def lost(self) -> None:
        """The client is gone: who waits is told."""
        for done in self._waiting.values():
            if not done.done():
                done.set_exception(UnavailableError("The device went away."))
                done.exception()  # seen: nobody may await it any more
        self._waiting.clear()
