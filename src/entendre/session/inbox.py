"""What a client sent to one conversation that it has not come to yet, in the order in which it was sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from entendre.core.audio import HOUSE_FORMAT
from entendre.core.errors import OverloadedError
from entendre.session.api import DeviceProfile
from entendre.turn import events as ev

PIECE_BYTES = HOUSE_FORMAT.byte_count(0.1)
"""Uplink audio is heard in pieces of at most this, so that a long push is not one long step."""

AtPosition = Callable[[float], ev.TurnEvent]
"""An event that the client caused, made when its place in the uplink is reached. Units: stream seconds."""


class Inbox:
    """Audio, profiles and events that wait. `limit_s`: how much audio may wait, seconds."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._items: deque[bytes | DeviceProfile | AtPosition] = deque()
        self._audio_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    @property
    def audio_s(self) -> float:
        """How much audio waits. Units: seconds."""
        return HOUSE_FORMAT.seconds(self._audio_bytes)

    @property
    def audio_is_next(self) -> bool:
        """Whether the next item is audio; only when something waits."""
        return isinstance(self._items[0], bytes)

    def hear(self, pcm16: bytes) -> None:
        """Audio in the house format. Raises: OverloadedError when too much waits."""
        if HOUSE_FORMAT.seconds(self._audio_bytes + len(pcm16)) > self._limit_s:
            raise OverloadedError("Too much audio is waiting. Send it at the speed it was recorded.")
        for start in range(0, len(pcm16), PIECE_BYTES):
            self._items.append(pcm16[start : start + PIECE_BYTES])
        self._audio_bytes += len(pcm16)

    def put(self, item: DeviceProfile | AtPosition) -> None:
        """What the client wants from here on."""
        self._items.append(item)

    def take(self) -> bytes | DeviceProfile | AtPosition:
        """The next item; only when something waits."""
        item = self._items.popleft()
        if isinstance(item, bytes):
            self._audio_bytes -= len(item)
        return item
