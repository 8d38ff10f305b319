"""What a device measured and has not been told to be kept yet: at least once, bounded, in memory.

A message stays until the server has acknowledged it, and keeps its id when it is sent again: it is one row there. What
is in memory is lost with the power: a device whose readings must survive that writes them down before `add`.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec

MAX_MESSAGES = 1_000
MAX_BYTES = 1024 * 1024
BATCH_MESSAGES = 100
BATCH_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """One message. `at_s`: when it was measured."""

    id: str
    at_s: float
    body: dict[str, Any]

    @property
    def size_bytes(self) -> int:
        """Its length as JSON."""
        return len(msgspec.json.encode(self.body)) + 80


class TelemetryQueue:
    """Messages in order; when it is full the oldest go, and `dropped` counts them."""

    def __init__(self, *, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._waiting: OrderedDict[str, tuple[Reading, int]] = OrderedDict()
        self._bytes = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, body: dict[str, Any], at_s: float | None = None) -> Reading:
        """Keep a message until it is acknowledged."""
        reading = Reading(uuid.uuid4().hex, time.time() if at_s is None else at_s, body)
        size = reading.size_bytes
        self._waiting[reading.id] = (reading, size)
        self._bytes += size
        while len(self._waiting) > self._max_messages or (self._bytes > self._max_bytes and len(self._waiting) > 1):
            self._bytes -= self._waiting.popitem(last=False)[1][1]
            self.dropped += 1
        return reading

    def batch(self, max_messages: int = BATCH_MESSAGES, max_bytes: int = BATCH_BYTES) -> list[Reading]:
        """The oldest messages that fit into one request, one at least; they stay."""
        taken: list[Reading] = []
        room = max_bytes
        for reading, size in self._waiting.values():
            if taken and (len(taken) == max_messages or size > room):
                break
            taken.append(reading)
            room -= size
        return taken

    def acknowledged(self, ids: Collection[str]) -> None:
        """Forget what the server keeps now."""
        for each in ids:
            found = self._waiting.pop(each, None)
            if found is not None:
                self._bytes -= found[1]
