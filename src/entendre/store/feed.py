"""The change feed, written: what changed stands beside the change itself, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from entendre.store.connection import Connection

_COLUMNS = ("region", "brand", "household", "topic", "subject", "change", "version", "data", "at_s")


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A change to announce: `topic` is as "twin.desired", `subject` an id, `data` what readers need."""

    brand: str
    topic: str
    subject: str
    change: str
    household: str | None = None
    version: int | None = None
    data: Any = None


def announce(connection: Connection, region: str, now_s: float, entries: Iterable[FeedEntry]) -> None:
    """Add entries to the feed of their brands, in order."""
    rows = [
        (
            *(region, each.brand, each.household, each.topic, each.subject, each.change, each.version),
            None if each.data is None else msgspec.json.encode(each.data).decode(),
            now_s,
        )
        for each in entries
    ]
    connection.insert_many("changes", _COLUMNS, rows)
