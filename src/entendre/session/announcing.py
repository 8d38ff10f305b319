"""Announcements: what is said on speakers without anybody having asked there, and each speaker's queue of them."""

from __future__ import annotations

import json
import logging
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from entendre.core.actions import Broadcast
from entendre.core.errors import OverloadedError

if TYPE_CHECKING:
    from entendre.session.assistant import Assistant

log = logging.getLogger(__name__)

WITHIN_S = 120.0
"""An announcement that could not be said for so long is not said any more: dinner is cold."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A text to say. `urgent` goes before others that wait; `within_s`: how long it may wait for silence."""

    text: str
    language: str | None = None
    urgent: bool = False
    within_s: float = WITHIN_S


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom an announcement is for: a room, a device, or everybody, `besides` one device."""

    room: str | None = None
    device: str | None = None
    besides: str = ""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker that took an announcement."""

    device: str
    room: str | None


@dataclass(slots=True)
class Waiting:
    """The announcements that wait on one speaker. Times are monotonic seconds."""

    limit: int
    _queue: deque[tuple[Announcement, float]] = field(default_factory=deque)

    def add(self, announcement: Announcement, now: float) -> None:
        """Put it behind those of its kind. Raises: OverloadedError when many wait."""
        self._forget(now)
        if len(self._queue) >= self.limit:
            raise OverloadedError("Too many announcements wait on this speaker.")
        entry = announcement, now + announcement.within_s
        urgent = sum(each.urgent for each, _ in self._queue)
        self._queue.insert(urgent if announcement.urgent else len(self._queue), entry)

    def due(self, now: float) -> bool:
        """Whether one is to be said."""
        self._forget(now)
        return bool(self._queue)

    def rest(self, now: float) -> list[Announcement]:
        """All that wait, for another speaker to say; none waits here any more."""
        self._forget(now)
        rest = [replace(each, within_s=expires_at - now) for each, expires_at in self._queue]
        self._queue.clear()
        return rest

    def take(self) -> Announcement:
        """The next one to say; only when one is `due`."""
        return self._queue.popleft()[0]

    def _forget(self, now: float) -> None:
        if not self._queue:
            return
        fresh = deque((each, expires_at) for each, expires_at in self._queue if expires_at > now)
        if len(fresh) < len(self._queue):
            log.info("announcement expired", extra={"count": len(self._queue) - len(fresh)})
        self._queue = fresh


async def announce(
    assistant: Assistant, announcement: Announcement, audience: Audience, *, turn: str, index: int = 0
) -> tuple[Speaker, ...]:
    """Announce once per `(turn, index)` however often it is asked; the speakers that took it, none if none is there.

    Raises: OverloadedError, StoreError.
    """
    household = assistant.household
    async with assistant.announcing:
        if not await household.begin(Broadcast(announcement.text, audience.room), turn=turn, index=index):
            return _speakers(await household.result(turn=turn, index=index))
        taken = assistant.announcer.announce(announcement, audience)
        if taken:
            document = [[speaker.device, speaker.room] for speaker in taken]
            await household.finish(turn=turn, index=index, result=json.dumps(document))
        return taken


def _speakers(result: str) -> tuple[Speaker, ...]:
    """The speakers that `announce` noted; none where the turn's action was another one."""
    noted = json.loads(result)
    return tuple(Speaker(device, room) for device, room in noted) if isinstance(noted, list) else ()
