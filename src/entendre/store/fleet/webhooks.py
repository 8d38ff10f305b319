"""Webhooks in the database, with how far each has heard."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from entendre.core.clock import Clock
from entendre.core.errors import NotFoundError, StaleError, TooLargeError
from entendre.fleet.webhooks import MAX_OF_BRAND
from entendre.ports.webhooks import WebhookChanges, WebhookRecord
from entendre.store import audit
from entendre.store.connection import Connection
from entendre.store.database import Database

_COLUMNS = (
    "id, brand, url, secret, topics, enabled, delivered_seq, failures, next_at_s, last_status, created_at_s,"
    " created_by, version"
)


class WebhookRows:
    """Implements `ports.webhooks.WebhookStore`."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region

    async def add(self, record: WebhookRecord) -> WebhookRecord:
        """Keep a new one. Raises: TooLargeError when the brand has too many."""

        def work(connection: Connection) -> WebhookRecord:
            sql = "SELECT count(*) FROM webhooks WHERE region = ? AND brand = ?"
            if connection.execute(sql, (self._region, record.brand)).fetchone()[0] >= MAX_OF_BRAND:
                raise TooLargeError(f"A brand has at most {MAX_OF_BRAND} webhooks.")
            insert = f"INSERT INTO webhooks (region, {_COLUMNS}) VALUES ({', '.join('?' * 14)})"
            connection.execute(insert, (self._region, *_values(record)))
            self._audit(connection, record, "webhook.created", record.created_by)
            return record

        return await self._database.write(work)

    async def get(self, brand: str, webhook: str) -> WebhookRecord:
        """One webhook. Raises: NotFoundError."""
        return await self._database.read(lambda connection: self._of(connection, brand, webhook))

    async def webhooks(self, brand: str, *, after: str, limit: int) -> tuple[WebhookRecord, ...]:
        """Webhooks of a brand in the order of their ids, after one."""
        sql = f"SELECT {_COLUMNS} FROM webhooks WHERE region = ? AND brand = ? AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> tuple[WebhookRecord, ...]:
            rows = connection.execute(sql, (self._region, brand, after, limit)).fetchall()
            return tuple(_record(row) for row in rows)

        return await self._database.read(work)

    async def change(
        self, brand: str, webhook: str, changes: WebhookChanges, *, by: str, version: int | None
    ) -> WebhookRecord:
        """Change one, if it has that version still. Raises: NotFoundError, StaleError."""

        def work(connection: Connection) -> WebhookRecord:
            before = self._of(connection, brand, webhook, version)
            now = replace(
                before,
                url=before.url if changes.url is None else changes.url,
                topics=before.topics if changes.topics is None else changes.topics,
                enabled=before.enabled if changes.enabled is None else changes.enabled,
                secret=before.secret if changes.secret is None else changes.secret,
                version=before.version + 1,
            )
            if changes.enabled or changes.url is not None:
                now = replace(now, failures=0, next_at_s=None)
            self._save(connection, now)
            self._audit(connection, now, "webhook.changed", by)
            return now

        return await self._database.write(work)

    async def remove(self, brand: str, webhook: str, *, by: str, version: int | None) -> None:
        """Remove one. Raises: NotFoundError, StaleError."""

        def work(connection: Connection) -> None:
            record = self._of(connection, brand, webhook, version)
            sql = "DELETE FROM webhooks WHERE region = ? AND brand = ? AND id = ?"
            connection.execute(sql, (self._region, brand, webhook))
            self._audit(connection, record, "webhook.removed", by)

        await self._database.write(work)

    async def enabled(self) -> tuple[WebhookRecord, ...]:
        """Every webhook that is to be delivered to."""
        sql = f"SELECT {_COLUMNS} FROM webhooks WHERE region = ? AND enabled = 1 ORDER BY id"

        def work(connection: Connection) -> tuple[WebhookRecord, ...]:
            return tuple(_record(row) for row in connection.execute(sql, (self._region,)).fetchall())

        return await self._database.read(work)

    async def delivered(self, record: WebhookRecord, seq: int, status: int) -> None:
        """It took everything up to a position."""
        sql = (
            "UPDATE webhooks SET delivered_seq = ?, failures = 0, next_at_s = NULL, last_status = ?"
            " WHERE region = ? AND brand = ? AND id = ? AND delivered_seq < ?"
        )
        values = (seq, status, self._region, record.brand, record.id, seq)
        await self._database.write(lambda connection: connection.execute(sql, values).rowcount)

    async def failed(self, record: WebhookRecord, status: int, next_at_s: float, *, gives_up: bool) -> None:
        """It did not take what it was sent; `gives_up` disables it."""

        def work(connection: Connection) -> None:
            now = self._of(connection, record.brand, record.id)
            version = now.version + 1 if gives_up else now.version
            self._save(
                connection,
                replace(
                    now,
                    failures=now.failures + 1,
                    last_status=status,
                    next_at_s=next_at_s,
                    enabled=now.enabled and not gives_up,
                    version=version,
                ),
            )
            if gives_up:
                self._audit(connection, now, "webhook.disabled", "server")

        await self._database.write(work)

    def _of(self, connection: Connection, brand: str, webhook: str, version: int | None = None) -> WebhookRecord:
        sql = f"SELECT {_COLUMNS} FROM webhooks WHERE region = ? AND brand = ? AND id = ?"
        row = connection.execute(sql, (self._region, brand, webhook)).fetchone()
        if row is None:
            raise NotFoundError("There is no such webhook.")
        record = _record(row)
        if version not in (None, record.version):
            raise StaleError("The webhook was changed meanwhile. Read it again, then change it.")
        return record

    def _save(self, connection: Connection, record: WebhookRecord) -> None:
        sql = (
            "UPDATE webhooks SET url = ?, secret = ?, topics = ?, enabled = ?, failures = ?, next_at_s = ?,"
            " last_status = ?, version = ? WHERE region = ? AND brand = ? AND id = ?"
        )
        values = (record.url, record.secret, json.dumps(record.topics), int(record.enabled), record.failures)
        more = (record.next_at_s, record.last_status, record.version, self._region, record.brand, record.id)
        connection.execute(sql, (*values, *more))

    def _audit(self, connection: Connection, record: WebhookRecord, act: str, by: str) -> None:
        entry = audit.Act(by, act, record.id, record.brand, detail={"topics": list(record.topics)})
        audit.record(connection, self._region, self._clock.wall(), entry)


def _values(record: WebhookRecord) -> tuple[Any, ...]:
    return (
        *(record.id, record.brand, record.url, record.secret, json.dumps(record.topics), int(record.enabled)),
        *(record.delivered_seq, record.failures, record.next_at_s, record.last_status, record.created_at_s),
        *(record.created_by, record.version),
    )


def _record(row: Any) -> WebhookRecord:
    id, brand, url, secret, topics, enabled, *rest = row
    return WebhookRecord(id, brand, url, bytes(secret), tuple(json.loads(topics)), bool(enabled), *rest)
