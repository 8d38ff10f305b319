"""Telemetry at the door: what a device may send, and how often."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

from entendre.core.clock import Clock
from entendre.core.errors import ThrottledError
from entendre.fleet import telemetry as rules
from entendre.ports.telemetry import TelemetryMessage, TelemetryRow, TelemetryStore

REMEMBERED_DEVICES = 50_000
"""Devices whose rate is remembered; the one that sent longest ago is forgotten first."""


class TelemetryDoor:
    """Implements `ports.telemetry.Telemetry`."""

    def __init__(self, store: TelemetryStore, clock: Clock, *, new_id: Callable[[], str]) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._rates: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def take(self, brand: str, device: str, messages: Sequence[TelemetryMessage]) -> int:
        """Keep a batch; durable when it returns. How many messages it had.

        Raises: ThrottledError, TooLargeError, InvalidInputError, OverloadedError.
        """
        bodies = [rules.body_text(each.body) for each in messages[: rules.MAX_MESSAGES + 1]]
        rules.checked_batch(len(messages), bodies)
        self._allow(device, len(messages))
        now_s = self._clock.wall()
        own = self._new_id()
        rows = [
            TelemetryRow(
                device=device,
                id=rules.checked_id(each.id) if each.id is not None else f"{own}.{number}",
                brand=brand,
                at_s=rules.time_of(each.at_s, now_s),
                received_at_s=now_s,
                body=body,
            )
            for number, (each, body) in enumerate(zip(messages, bodies, strict=True))
        ]
        await self._store.add(rows)
        return len(rows)

    async def of_device(
        self, brand: str, device: str, *, from_s: float, to_s: float, after: tuple[float, str] | None, limit: int
    ) -> tuple[TelemetryRow, ...]:
        """Rows of a device within a time, oldest first."""
        return await self._store.of_device(brand, device, from_s=from_s, to_s=to_s, after=after, limit=limit)

    async def newest(self, brand: str, *, limit: int) -> tuple[TelemetryRow, ...]:
        """The rows of a brand that came last, newest first."""
        return await self._store.newest(brand, limit=limit)

    def _allow(self, device: str, messages: int) -> None:
        """Take messages from a device's allowance, which fills up steadily. Raises: ThrottledError."""
        now_s = self._clock.monotonic()
        left, since_s = self._rates.pop(device, (float(rules.BURST_MESSAGES), now_s))
        left = min(float(rules.BURST_MESSAGES), left + (now_s - since_s) * rules.MESSAGES_PER_S)
        refused = messages > left
        self._rates[device] = (left if refused else left - messages, now_s)
        while len(self._rates) > REMEMBERED_DEVICES:
            self._rates.popitem(last=False)
        if refused:
            wait_s = (messages - left) / rules.MESSAGES_PER_S
            raise ThrottledError("The device sends too much.", retry_after_s=wait_s)
