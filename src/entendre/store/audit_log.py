"""The audit log, read: newest first, of a brand, a household or the region."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from entendre.ports.audit import AuditEntry, AuditState
from entendre.store.audit import first_broken
from entendre.store.connection import Connection
from entendre.store.database import Database

_NAMES = tuple(field.name for field in fields(AuditEntry))


class AuditReader:
    """The audit log of one region."""

    def __init__(self, database: Database, region: str) -> None:
        self._database = database
        self._region = region

    async def entries(
        self, *, brand: str | None = None, household: str | None = None, before: int | None = None, limit: int = 50
    ) -> tuple[AuditEntry, ...]:
        """Entries, those before a `seq`."""
        conditions: list[str] = ["region = ?"]
        kept: list[Any] = [self._region]
        for column, value in (("brand = ?", brand), ("household = ?", household), ("seq < ?", before)):
            if value is not None:
                conditions.append(column)
                kept.append(value)
        sql = f"SELECT {', '.join(_NAMES)} FROM audit WHERE {' AND '.join(conditions)} ORDER BY seq DESC LIMIT ?"

        def work(connection: Connection) -> tuple[AuditEntry, ...]:
            rows = [(*row[:7], json.loads(row[7]), row[8]) for row in connection.execute(sql, (*kept, limit))]
            return tuple(AuditEntry(**dict(zip(_NAMES, row, strict=True))) for row in rows)

        return await self._database.read(work)

    async def state(self) -> AuditState:
        """Check the chain."""
        broken = await self._database.read(lambda connection: first_broken(connection, self._region))
        return AuditState(broken is None, broken)
