"""Messages of QoS 1: those on their way to one client, and those of it that are not acknowledged yet."""

from __future__ import annotations

import asyncio
from collections import deque

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


class Owed:
    """Acknowledgements that a client has coming, in the order of its messages (MQTT 3.1.1, 4.6).

    `limit`: messages that are being kept at a time.
    """

    __slots__ = ("_being_kept", "_limit", "_waiting", "newest")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._being_kept: set[int] = set()
        self.newest = 0

    @property
    def full(self) -> bool:
        """Whether no further message should be taken for now."""
        return len(self._being_kept) >= self._limit

    def owe(self, answer: bytes, *, done: bool) -> None:
        """A message came; its answer is due at once (`done`), or when it is `kept`."""
        self.newest += 1
        self._waiting.append((self.newest, answer))
        if not done:
            self._being_kept.add(self.newest)

    def kept(self, number: int) -> None:
        """A message is where it belongs."""
        self._being_kept.discard(number)

    def due(self) -> bytes:
        """The answers that may leave now."""
        answers = b""
        while self._waiting and self._waiting[0][0] not in self._being_kept:
            answers += self._waiting.popleft()[1]
        return answers
