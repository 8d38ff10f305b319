"""The devices of one region: admission for gateways, administration for people."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from entendre.core.clock import Clock
from entendre.core.device import (
    Admission,
    Admitted,
    DeviceIdentity,
    DeviceRecord,
    PendingDevice,
    Proof,
    Refusal,
    Refused,
    hardware_of,
    label_of,
    opaque_of,
)
from entendre.core.errors import InvalidInputError, OverloadedError
from entendre.store import device_admission as admission
from entendre.store import device_binding as binding
from entendre.store import device_tokens as tokens
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.device_presence import DevicePresence
from entendre.store.device_rows import DeviceRows
from entendre.store.device_watch import DeviceWatch
from entendre.store.fleet.bound import follow_in_fleet, leave_fleet, revoke_in_fleet

T = TypeVar("T")

log = logging.getLogger(__name__)

KIND = "xiaozhi"
SAME_TOKEN_S = 60.0
"""How long a device that asks again gets the same token again, so that asking makes no new ones."""
MAX_WRONG_CODES = 10
MAX_WRONG_CODES_OF_ALL = 100
WRONG_CODES_S = 600.0
"""So many wrong codes in so long, of one guesser and of all: together they find one waiting device in 10,000."""
KEY_BYTES = 32
"""Length of an enrolled key. Source: the ESP32's HMAC eFuse block."""
MAX_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Handed:
    admitted: Admitted
    at_s: float


class Devices:
    """Implements `DeviceRegistry` and `DeviceBook`. `run` while gateways serve."""

    def __init__(
        self, database: Database, clock: Clock, region: str = "home", rules: admission.AdmissionRules | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._rules = rules or admission.AdmissionRules()
        self._watch = DeviceWatch(database, clock, region)
        self._handed: dict[tuple[str, str], _Handed] = {}
        self._presence = DevicePresence(database, clock, region)
        self._guesses = _Guesses(clock)

    async def run(self) -> None:
        """Find out what other processes change, and write who was seen, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch.run())
            tasks.create_task(self._presence.run())

    # -- for gateways ------------------------------------------------------------------------------------------------

    async def announce(self, identity: DeviceIdentity, address: str, *, strangers: bool = True) -> Admission:
        """A device presents itself at boot: `Admitted` with a token, `Unbound` with its code, or `Refused`."""
        if not _is_clean(identity):
            return Refused(Refusal.BAD_IDENTITY)
        again = await self._handed_again(identity)
        if again is not None:
            return again
        if not strangers and not await self._read(lambda rows: admission.is_bound(rows, identity)):
            return Refused(Refusal.TOO_MANY_UNBOUND)
        found = await self._write(lambda rows: admission.announce(rows, identity, address, self._rules))
        if isinstance(found, Admitted):
            self._remember(identity, found)
        return found

    async def activate(self, identity: DeviceIdentity, proof: Proof | None, address: str) -> Admission:
        """A device asks whether it was bound: `Admitted` without a token, `Unbound` while not, or `Refused`."""
        if not _is_clean(identity):
            return Refused(Refusal.BAD_IDENTITY)
        return await self._write(lambda rows: admission.activate(rows, identity, proof, address, self._rules))

    async def verify(self, token: str, hardware: str, client: str) -> Admission:
        """A device opens a connection. `Unbound`: say its code and nothing else. An empty token is none."""
        mac, own = hardware_of(hardware), opaque_of(client)
        if mac is None or own is None:
            return Refused(Refusal.BAD_IDENTITY)
        found = await self._read(lambda rows: admission.verify(rows, token, mac, own, KIND))
        if not isinstance(found, tokens.TokenUse):
            return found
        use = found
        if use.first:
            await self._write(lambda rows: tokens.note_first_use(rows, use.token, use.admitted.record.id))
        await self.note_seen(use.admitted.record.id)
        return use.admitted

    def watch(self, admitted: Admitted, ended: Callable[[Refusal], None]) -> Callable[[], None]:
        """Call `ended` once, within 2 s, when this admission is revoked, re-bound or expires; returns how to stop."""
        return self._watch.add(admitted, ended)

    async def record(self, device: str) -> DeviceRecord | None:
        """A bound device as it is now; None once it is revoked."""
        found = await self._read(lambda rows: rows.device(device))
        return None if found is None or found.revoked_at_s is not None else found

    async def note_seen(self, device: str, firmware: str | None = None) -> None:
        """Note that a device is there, and its firmware's version; written together with others', once a minute."""
        self._presence.note(device, label_of(firmware or ""))

    # -- for people --------------------------------------------------------------------------------------------------

    async def devices(self) -> tuple[DeviceRecord, ...]:
        """Every device, revoked ones too, oldest first."""
        return await self._read(lambda rows: rows.devices())

    async def pending(self) -> tuple[PendingDevice, ...]:
        """Every device that shows a code now."""
        return await self._read(lambda rows: rows.waiting())

    async def bind(
        self, code: str, *, name: str = "", room: str | None = None, language: str | None = None, by: str, guesser: str
    ) -> DeviceRecord:
        """Take the device that shows this code into the household. Raises: InvalidInputError, OverloadedError."""
        digits = re.sub(r"[\s-]", "", code)
        wanted = binding.Wanted(binding.clean_name(name) if name else "", room or None, language or None, by)
        guess = self._guesses.take(guesser)
        bound = await self._write(lambda rows: binding.bind(rows, digits, wanted))
        if bound is None:
            raise InvalidInputError(
                "No device shows this code now. A code lasts ten minutes; look at the device again."
            )
        self._guesses.give_back(guess)
        self._forget_handed()
        self._watch.wake()
        return bound

    async def change(
        self,
        device: str,
        *,
        name: str | None = None,
        room: str | None = None,
        language: str | None = None,
        by: str,
    ) -> DeviceRecord:
        """Change what is not None; an empty `room` or `language` clears it. Raises: InvalidInputError."""
        values: dict[str, str | None] = {}
        if name is not None:
            values["name"] = binding.clean_name(name)
        if room is not None:
            values["room"] = room or None
        if language is not None:
            values["language"] = language or None

        def work(rows: DeviceRows) -> DeviceRecord:
            record = binding.device_named(rows, device)
            binding.check_name_is_free(rows, values.get("name"), record.id)
            rows.update(record.id, by, **values)
            rows.announce(record.id, "changed")
            now = binding.as_now(rows, record)
            follow_in_fleet(rows, now, by)
            return now

        return await self._write(work)

    async def revoke(self, device: str, *, by: str) -> DeviceRecord:
        """End a device's access; it stays known. Raises: InvalidInputError."""

        def work(rows: DeviceRows) -> DeviceRecord:
            record = binding.device_named(rows, device)
            rows.update(record.id, by, revoked_at_s=record.revoked_at_s or rows.now_s)
            tokens.revoke_all(rows, record.id)
            rows.drop_pending_of(record.kind, record.hardware)
            rows.announce(record.id, "revoked")
            revoke_in_fleet(rows, record.id, by)
            return binding.as_now(rows, record)

        return await self._ended(work)

    async def forget(self, device: str, *, by: str) -> DeviceRecord:
        """Remove a device; it may be bound again as a new one. Raises: InvalidInputError."""

        def work(rows: DeviceRows) -> DeviceRecord:
            record = binding.device_named(rows, device)
            rows.delete(record.id)
            rows.drop_pending_of(record.kind, record.hardware)
            rows.announce(record.id, "forgotten")
            leave_fleet(rows, record.id)
            return record

        record = await self._ended(work)
        log.info("a device was forgotten", extra={"device": record.id, "by": by})
        return record

    async def enrol(self, serial: str, key: bytes, *, by: str) -> None:
        """Keep the key burnt into the device of a serial number. Raises: InvalidInputError."""
        own = opaque_of(serial)
        if own is None:
            raise InvalidInputError("A serial number has 1 to 64 letters, digits and .-_:{}.")
        if len(key) != KEY_BYTES:
            raise InvalidInputError(f"A key has {KEY_BYTES} bytes, this one has {len(key)}.")
        await self._write(lambda rows: rows.enrol(own, key, by))

    # -- inside ------------------------------------------------------------------------------------------------------

    async def _read(self, work: Callable[[DeviceRows], T]) -> T:
        return await self._database.read(lambda connection: work(self._rows(connection)))

    async def _write(self, work: Callable[[DeviceRows], T]) -> T:
        return await self._database.write(lambda connection: work(self._rows(connection)))

    def _rows(self, connection: Connection) -> DeviceRows:
        return DeviceRows(connection, self._region, self._clock.wall())

    async def _ended(self, work: Callable[[DeviceRows], DeviceRecord]) -> DeviceRecord:
        record = await self._write(work)
        self._forget_handed()
        self._watch.wake()
        return record

    async def _handed_again(self, identity: DeviceIdentity) -> Admitted | None:
        """The token that this very device got a moment ago, if it still opens."""
        handed = self._handed.get((identity.hardware, identity.client))
        if handed is None or self._clock.monotonic() - handed.at_s > SAME_TOKEN_S:
            return None
        record = handed.admitted.record
        if not admission.pins_fit(record, identity) or record.attested:
            return None
        found = await self._read(
            lambda rows: tokens.check(rows, handed.admitted.token, identity.hardware, identity.client)
        )
        if not isinstance(found, tokens.TokenUse):
            return None
        await self.note_seen(record.id, identity.firmware)
        return replace(handed.admitted, record=found.admitted.record)

    def _remember(self, identity: DeviceIdentity, admitted: Admitted) -> None:
        if len(self._handed) >= MAX_REMEMBERED:
            self._handed.clear()
        self._handed[identity.hardware, identity.client] = _Handed(admitted, self._clock.monotonic())

    def _forget_handed(self) -> None:
        self._handed.clear()


class _Guesses:
    """Wrong codes of a while ago until now, by guesser."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wrong: deque[tuple[float, str]] = deque()

    def take(self, guesser: str) -> tuple[float, str]:
        """Count a guess, before it is known to be wrong. Raises: OverloadedError once there were too many."""
        now_s = self._clock.monotonic()
        while self._wrong and self._wrong[0][0] < now_s - WRONG_CODES_S:
            self._wrong.popleft()
        own = sum(1 for _, each in self._wrong if each == guesser)
        if own >= MAX_WRONG_CODES or len(self._wrong) >= MAX_WRONG_CODES_OF_ALL:
            raise OverloadedError("Too many wrong codes. Wait ten minutes.")
        self._wrong.append((now_s, guesser))
        return self._wrong[-1]

    def give_back(self, guess: tuple[float, str]) -> None:
        """It was right."""
        if guess in self._wrong:
            self._wrong.remove(guess)


def _is_clean(identity: DeviceIdentity) -> bool:
    """Whether an identity can be kept: gateways read headers, and anybody can send any."""
    opaque = opaque_of(identity.client) == identity.client
    serial = identity.serial is None or opaque_of(identity.serial) == identity.serial
    labels = (identity.board, identity.firmware, identity.language)
    return (
        hardware_of(identity.hardware) == identity.hardware
        and opaque
        and serial
        and all(label_of(each) == each for each in labels)
    )
