"""A ring as the rest of the house sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from entendre.ports import RingRow


@dataclass(frozen=True, slots=True)
class Ring:
    """A timer, alarm or reminder that went off; `id` stays the same when it rings again after a restart.

    `name`: of the timer or alarm, or the reminder's text. `due`: aware, in the home's zone. `delivered_to`: the device
    that sounded it.
    """

    id: str
    kind: Literal["timer", "alarm", "reminder"]
    name: str | None
    device: str
    language: str
    due: datetime
    job: str
    state: Literal["ringing", "silenced", "snoozed", "expired", "missed"] = "ringing"
    delivered_to: str | None = None


def ring_of(row: RingRow, zone: ZoneInfo) -> Ring:
    """A ring from its row."""
    due = datetime.fromtimestamp(row.due_at_s, zone)
    return Ring(row.id, row.kind, row.text, row.device, row.language, due, row.job, row.state, row.delivered_to)
