"""A rollout as it is drawn."""

from __future__ import annotations

import io
from typing import Any

from entendre.cli.fleet.rollout_view import drawn


def rollout(state: str, total: int) -> dict[str, Any]:
    counts = dict.fromkeys(("waiting", "offered", "downloading", "installing", "failed", "timed_out"), 0)
    group = {"number": 0, "name": "", "limit": 1, "total": total, "succeeded": total, **counts}
    record = {"id": "0" * 32, "name": "spring", "number": "1.1.0", "state": state, "reason": ""}
    return record | {"started_at_s": None, "groups": [group]}


def test_a_rollout_without_devices_says_why_nothing_happened() -> None:
    assert "No device was in it" in drawn(rollout("finished", 0), io.StringIO())
    assert "No device" not in drawn(rollout("finished", 3), io.StringIO())
    assert "No device" not in drawn(rollout("running", 0), io.StringIO())
