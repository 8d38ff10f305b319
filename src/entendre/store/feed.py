"""The change feed, written: what changed stands beside the change itself, in the same transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from entendre.store.connection import Connection


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
    sql = (
        "INSERT INTO changes (region, brand, household, topic, subject, change, version, data, at_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    rows = [
        (
            *(region, each.brand, each.household, each.topic, each.subject, each.change, each.version),
            None if each.data is None else json.dumps(each.data, ensure_ascii=False, separators=(",", ":")),
            now_s,
        )
        for each in entries
    ]
    connection.executemany(sql, rows)
