"""Rows of the fleet that are past their retention, forgotten a bounded batch at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from entendre.core.errors import EntendreError

log = logging.getLogger(__name__)

EVERY_S = 60.0
AT_ONCE = 5_000
"""Rows of one transaction: others write in between."""


class Shelf(Protocol):
    """Rows that are kept for a time."""

    async def prune(self, limit: int) -> int:
        """Forget rows past their brands' retention, at most so many; returns how many. Raises: StoreError."""
        ...


async def forget(shelves: Sequence[Shelf], *, every_s: float = EVERY_S) -> None:
    """Forget what is too old, for as long as the process lives. A task root."""
    while True:
        for shelf in shelves:
            try:
                while await shelf.prune(AT_ONCE) == AT_ONCE:
                    pass
            except EntendreError as error:
                log.warning("old rows can't be forgotten", extra={"code": error.code})
            except Exception:
                log.exception("old rows can't be forgotten")
        await asyncio.sleep(every_s)
