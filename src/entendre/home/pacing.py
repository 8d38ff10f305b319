"""Work that follows changes, done at once after the first of them and then at most every so often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Paced:
    """Call it at each change; a burst of changes costs little, and the last of them is never missed."""

    def __init__(self, work: Callable[[], None], every_s: float) -> None:
        self._work = work
        self._every_s = every_s
        self._again = False
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        """Something changed. Needs a running event loop."""
        if self._timer is not None:
            self._again = True
            return
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._rested)
        self._work()

    def close(self) -> None:
        """Nothing more is done."""
        if self._timer is not None:
            self._timer.cancel()

    def _rested(self) -> None:
        self._timer = None
        if self._again:
            self._again = False
            self()
