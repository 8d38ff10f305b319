"""Devices, and those that wait to be bound, as rows; used inside a transaction of the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from entendre.core.device import DeviceIdentity, DeviceRecord, PendingDevice
from entendre.store.connection import Connection
from entendre.system import new_id

_RECORD = ", ".join(field.name for field in fields(DeviceRecord))
TOPIC = "device"
"""Topic of the outbox under which changes of devices are announced."""


@dataclass(frozen=True, slots=True)
class PendingRow:
    """A row of `pending_devices` as admission reads it."""

    id: str
    hardware: str
    client: str
    serial: str | None
    code: str | None
    challenge: str | None
    proven_at_s: float | None
    passed_at_s: float | None
    device: str | None
    token: str | None
    token_hash: bytes | None
    address: str
    expires_at_s: float


_PENDING = ", ".join(field.name for field in fields(PendingRow))


@dataclass(frozen=True, slots=True)
class DeviceRows:
    """The tables of one region at one moment, inside one transaction."""

    connection: Connection
    region: str
    now_s: float

    # -- devices -----------------------------------------------------------------------------------------------------

    def devices(self) -> tuple[DeviceRecord, ...]:
        """Every device, oldest first."""
        sql = f"SELECT {_RECORD} FROM devices WHERE region = ? ORDER BY bound_at_s, id"
        return tuple(_record(row) for row in self.connection.execute(sql, (self.region,)))

    def device(self, device: str) -> DeviceRecord | None:
        """A device by its id."""
        return self._one("id = ?", device)

    def of_hardware(self, kind: str, hardware: str) -> DeviceRecord | None:
        """The device of a MAC address."""
        return self._one("kind = ? AND hardware = ?", kind, hardware)

    def of_serial(self, kind: str, serial: str) -> DeviceRecord | None:
        """The device that a serial number is pinned to."""
        return self._one("kind = ? AND serial = ?", kind, serial)

    def insert(self, record: DeviceRecord) -> None:
        """A new device."""
        columns = [field.name for field in fields(DeviceRecord)]
        extra = {"region": self.region, "changed_at_s": self.now_s, "changed_by": record.bound_by, "version": 1}
        names = ", ".join([*columns, *extra])
        marks = ", ".join("?" for _ in range(len(columns) + len(extra)))
        values = [getattr(record, name) for name in columns] + list(extra.values())
        self.connection.execute(f"INSERT INTO devices ({names}) VALUES ({marks})", values)

    def update(self, device: str, by: str, **values: Any) -> None:
        """What a person changes of a device: noted with who did it."""
        values |= {"changed_at_s": self.now_s, "changed_by": by}
        sets = ", ".join(f"{name} = ?" for name in values)
        sql = f"UPDATE devices SET {sets}, version = version + 1 WHERE region = ? AND id = ?"
        self.connection.execute(sql, (*values.values(), self.region, device))

    def seen(self, device: str, firmware: str | None, board: str | None = None) -> None:
        """What a device tells of itself; no change of a person's, so its version stays."""
        sql = (
            "UPDATE devices SET last_seen_at_s = ?, firmware = coalesce(?, firmware), board = coalesce(?, board)"
            " WHERE region = ? AND id = ?"
        )
        self.connection.execute(sql, (self.now_s, firmware or None, board or None, self.region, device))

    def note_attested(self, device: str) -> None:
        """A device proved its enrolled key."""
        sql = "UPDATE devices SET attested = 1 WHERE region = ? AND id = ?"
        self.connection.execute(sql, (self.region, device))

    def delete(self, device: str) -> None:
        """Remove a device with its tokens."""
        self.connection.execute("DELETE FROM devices WHERE region = ? AND id = ?", (self.region, device))

    def announce(self, device: str, change: str) -> None:
        """Tell every process of a change, in the transaction that makes it."""
        sql = "INSERT INTO outbox (region, id, topic, subject, change, at_s) VALUES (?, ?, ?, ?, ?, ?)"
        self.connection.execute(sql, (self.region, new_id(), TOPIC, device, change, self.now_s))

    # -- those that wait ---------------------------------------------------------------------------------------------

    def waiting(self) -> tuple[PendingDevice, ...]:
        """Every device that shows a code now, oldest first."""
        sql = (
            "SELECT p.id, p.kind, p.hardware, p.serial, p.board, p.firmware, p.language, p.code, p.created_at_s,"
            " p.expires_at_s, d.id FROM pending_devices p LEFT JOIN devices d"
            " ON d.region = p.region AND d.kind = p.kind AND d.hardware = p.hardware"
            " WHERE p.region = ? AND p.code IS NOT NULL AND p.expires_at_s > ? ORDER BY p.created_at_s, p.id"
        )
        return tuple(PendingDevice(*row) for row in self.connection.execute(sql, (self.region, self.now_s)))

    def pending_of(self, kind: str, hardware: str, client: str) -> PendingRow | None:
        """The row of a device that presents itself, if it has not expired."""
        return self._pending("kind = ? AND hardware = ? AND client = ?", kind, hardware, client)

    def pending_with(self, code: str) -> tuple[PendingRow, DeviceIdentity] | None:
        """The device that shows a code now."""
        row = self._pending("code = ?", code)
        if row is None:
            return None
        sql = (
            "SELECT hardware, client, serial, kind, board, firmware, language FROM pending_devices"
            " WHERE region = ? AND id = ?"
        )
        return row, DeviceIdentity(*self.connection.execute(sql, (self.region, row.id)).fetchone())

    def code_is_free(self, code: str) -> bool:
        """Whether no device shows this code."""
        sql = "SELECT 1 FROM pending_devices WHERE region = ? AND code = ?"
        return self.connection.execute(sql, (self.region, code)).fetchone() is None

    def count_waiting(self, address: str | None = None) -> int:
        """How many devices wait to be bound, of one address or of all."""
        sql = "SELECT count(*) FROM pending_devices WHERE region = ? AND code IS NOT NULL"
        values: tuple[Any, ...] = (self.region,)
        if address is not None:
            sql, values = sql + " AND address = ?", (self.region, address)
        return int(self.connection.execute(sql, values).fetchone()[0])

    def put_pending(self, identity: DeviceIdentity, address: str, **values: Any) -> None:
        """Make or replace the row of a device that presents itself."""
        row = {
            "region": self.region,
            "id": new_id(),
            "kind": identity.kind,
            "hardware": identity.hardware,
            "client": identity.client,
            "serial": identity.serial,
            "board": identity.board,
            "firmware": identity.firmware,
            "language": identity.language,
            "address": address,
            "created_at_s": self.now_s,
        } | values
        own = (self.region, identity.kind, identity.hardware, identity.client)
        sql = "DELETE FROM pending_devices WHERE region = ? AND kind = ? AND hardware = ? AND client = ?"
        self.connection.execute(sql, own)
        names, marks = ", ".join(row), ", ".join("?" for _ in row)
        self.connection.execute(f"INSERT INTO pending_devices ({names}) VALUES ({marks})", list(row.values()))

    def set_pending(self, pending: str, **values: Any) -> None:
        """Change columns of a row."""
        sets = ", ".join(f"{name} = ?" for name in values)
        sql = f"UPDATE pending_devices SET {sets} WHERE region = ? AND id = ?"
        self.connection.execute(sql, (*values.values(), self.region, pending))

    def drop_pending(self, pending: str) -> None:
        """Remove a row."""
        self.connection.execute("DELETE FROM pending_devices WHERE region = ? AND id = ?", (self.region, pending))

    def drop_pending_of(self, kind: str, hardware: str) -> None:
        """Remove every row of a MAC address."""
        sql = "DELETE FROM pending_devices WHERE region = ? AND kind = ? AND hardware = ?"
        self.connection.execute(sql, (self.region, kind, hardware))

    def drop_expired(self) -> None:
        """Forget those that waited too long."""
        sql = "DELETE FROM pending_devices WHERE region = ? AND expires_at_s <= ?"
        self.connection.execute(sql, (self.region, self.now_s))

    # -- enrolled keys -----------------------------------------------------------------------------------------------

    def key_of(self, serial: str | None) -> bytes | None:
        """The key that a maker enrolled for a serial number."""
        if serial is None:
            return None
        sql = "SELECT key FROM device_keys WHERE region = ? AND serial = ?"
        found = self.connection.execute(sql, (self.region, serial)).fetchone()
        return None if found is None else bytes(found[0])

    def enrol(self, serial: str, key: bytes, by: str) -> None:
        """Keep or replace the key of a serial number."""
        sql = (
            "INSERT INTO device_keys (region, id, serial, key, enrolled_at_s, enrolled_by) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (region, serial) DO UPDATE SET key = excluded.key,"
            " enrolled_at_s = excluded.enrolled_at_s, enrolled_by = excluded.enrolled_by"
        )
        self.connection.execute(sql, (self.region, new_id(), serial, key, self.now_s, by))

    def _one(self, where: str, *values: str) -> DeviceRecord | None:
        sql = f"SELECT {_RECORD} FROM devices WHERE region = ? AND {where}"
        found = self.connection.execute(sql, (self.region, *values)).fetchone()
        return None if found is None else _record(found)

    def _pending(self, where: str, *values: str) -> PendingRow | None:
        sql = f"SELECT {_PENDING} FROM pending_devices WHERE region = ? AND {where} AND expires_at_s > ?"
        found = self.connection.execute(sql, (self.region, *values, self.now_s)).fetchone()
        return None if found is None else PendingRow(*found)


def _record(row: Sequence[Any]) -> DeviceRecord:
    named = dict(zip((field.name for field in fields(DeviceRecord)), row, strict=True))
    return DeviceRecord(**named | {"attested": bool(named["attested"])})
