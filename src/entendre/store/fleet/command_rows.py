"""Rows of commands and of their jobs, as dataclasses and back."""

from __future__ import annotations

from typing import Any

from entendre.ports.commands import CommandJob, CommandRecord
from entendre.store.connection import Connection

COLUMNS = (
    "id, brand, device, name, payload, mode, state, created_at_s, created_by, expires_at_s, delivered_at_s,"
    " deliveries, finished_at_s, status, result, job, idempotency_key, version"
)
COLUMN_NAMES = ("region", *COLUMNS.split(", "))
JOB_COLUMNS = (
    "id, brand, query, name, payload, ttl_s, state, reached, queued, refused, created_at_s, created_by,"
    " finished_at_s, version"
)
INSERT = f"INSERT INTO commands (region, {COLUMNS}) VALUES ({', '.join('?' * 19)})"
INSERT_JOB = f"INSERT INTO command_jobs (region, {JOB_COLUMNS}) VALUES ({', '.join('?' * 15)})"


def values_of(region: str, record: CommandRecord) -> tuple[Any, ...]:
    """The values of `INSERT`."""
    return (
        *(region, record.id, record.brand, record.device, record.name, record.payload, record.mode, record.state),
        *(record.created_at_s, record.created_by, record.expires_at_s, record.delivered_at_s, record.deliveries),
        *(record.finished_at_s, record.status, record.result, record.job, record.idempotency_key, record.version),
    )


def job_values_of(region: str, job: CommandJob) -> tuple[Any, ...]:
    """The values of `INSERT_JOB`."""
    return (
        *(region, job.id, job.brand, job.query, job.name, job.payload, job.ttl_s, job.state, job.reached),
        *(job.queued, job.refused, job.created_at_s, job.created_by, job.finished_at_s, job.version),
    )


def command_of(row: Any) -> CommandRecord:
    """A command of a row of `COLUMNS`."""
    return CommandRecord(*row)


def job_of(row: Any) -> CommandJob:
    """A job of a row of `JOB_COLUMNS`."""
    return CommandJob(*row)


def found(connection: Connection, region: str, command: str) -> CommandRecord | None:
    """A command by its id, whosever it is."""
    sql = f"SELECT {COLUMNS} FROM commands WHERE region = ? AND id = ?"
    row = connection.execute(sql, (region, command)).fetchone()
    return None if row is None else command_of(row)


def same_key(connection: Connection, region: str, record: CommandRecord) -> CommandRecord | None:
    """The command of the same idempotency key."""
    if record.idempotency_key is None:
        return None
    sql = f"SELECT {COLUMNS} FROM commands WHERE region = ? AND brand = ? AND device = ? AND idempotency_key = ?"
    key = (region, record.brand, record.device, record.idempotency_key)
    row = connection.execute(sql, key).fetchone()
    return None if row is None else command_of(row)


def device_household(connection: Connection, region: str, brand: str, device: str) -> tuple[bool, str | None]:
    """Whether a brand has this device and it was not revoked, and its household."""
    sql = "SELECT household FROM fleet_devices WHERE region = ? AND brand = ? AND id = ? AND state <> 'revoked'"
    row = connection.execute(sql, (region, brand, device)).fetchone()
    return (False, None) if row is None else (True, row[0])


def waiting(connection: Connection, region: str, device: str) -> int:
    """How many commands wait for a device."""
    sql = "SELECT count(*) FROM commands WHERE region = ? AND device = ? AND finished_at_s IS NULL AND mode = 'queued'"
    return int(connection.execute(sql, (region, device)).fetchone()[0])
