"""Everything of a household or a person as one ZIP archive, made while it is sent."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

from entendre.core.errors import NotFoundError
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.people.subjects import TABLES, Table, bound
from entendre.store.people.within import OfPeople

ROWS_AT_ONCE = 200
README = """\
Everything that the assistant keeps of {what} {subject}, taken on {taken}.

Every file in data/ is one table: a JSON array of objects, one for each row, in UTF-8. tables.json says what each holds.
Fields whose name ends in _at_s or at_s are seconds since 1970-01-01 in UTC. "region" is the cell that keeps the data.
Left out are secrets (hashes of passwords, codes and tokens) and what is private to other people.
Sound is not in it because none is kept.
"""


@dataclass(frozen=True, slots=True)
class _Wanted:
    kind: Literal["household", "account"]
    subject: str
    asker: str
    by: str


class ExportStore(OfPeople):
    """Implements `ports.households.Export`."""

    _columns: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """Of every table; read once."""

    def household(self, household: str, account: str | None, by: str) -> AsyncIterator[bytes]:
        """The archive in pieces, without other members' private things. Raises: NotFoundError, StoreError."""
        return self._archive(_Wanted("household", household, account or "", by))

    def account(self, account: str, by: str) -> AsyncIterator[bytes]:
        """What is a person's own, in every household. Raises: NotFoundError, StoreError."""
        return self._archive(_Wanted("account", account, account, by))

    async def _archive(self, wanted: _Wanted) -> AsyncIterator[bytes]:
        await self._note(wanted)
        sink = _Sink()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            taken = datetime.fromtimestamp(self._clock.wall(), UTC).isoformat(timespec="seconds")
            what = "the household" if wanted.kind == "household" else "the account"
            archive.writestr("README.txt", README.format(what=what, subject=wanted.subject, taken=taken))
            tables = [table for table in TABLES if table.what and table.condition(wanted.kind) is not None]
            described = {table.name: {"what": table.what, "left_out": list(table.secret)} for table in tables}
            archive.writestr("tables.json", json.dumps(described, indent=1))
            yield sink.take()
            for table in tables:
                async for piece in self._table(archive, sink, table, wanted):
                    yield piece
        yield sink.take()

    async def _table(
        self, archive: zipfile.ZipFile, sink: _Sink, table: Table, wanted: _Wanted
    ) -> AsyncIterator[bytes]:
        """One table's file, if it has rows."""
        rows = await self._rows(table, wanted, None)
        if not rows:
            return
        with archive.open(f"data/{table.name}.json", "w") as file:
            file.write(b"[")
            first = True
            while rows:
                text = await asyncio.to_thread(_written, table, rows, first)
                await asyncio.to_thread(file.write, text)
                yield sink.take()
                first = False
                last = tuple(rows[-1][name] for name in table.key)
                rows = await self._rows(table, wanted, last) if len(rows) == ROWS_AT_ONCE else []
            file.write(b"\n]\n")
        yield sink.take()

    async def _rows(self, table: Table, wanted: _Wanted, after: Sequence[Any] | None) -> list[dict[str, Any]]:
        condition = table.condition(wanted.kind) or ""
        if table.private and wanted.kind == "household":
            condition = f"({condition}) AND {table.private}"
        where, values = bound(condition, self._region, wanted.subject, wanted.asker)
        columns = await self._columns_of(table)
        sql = f"SELECT {', '.join(columns)} FROM {table.name} WHERE region = ? AND {where}"
        key = ", ".join(table.key)
        if after is not None:
            sql += f" AND ({key}) > ({', '.join('?' for _ in table.key)})"
        sql += f" ORDER BY {key} LIMIT {ROWS_AT_ONCE}"

        def work(connection: Connection) -> list[dict[str, Any]]:
            found = connection.execute(sql, (self._region, *values, *(after or ())))
            return [dict(zip(columns, row, strict=True)) for row in found]

        return await self._database.read(work)

    async def _columns_of(self, table: Table) -> tuple[str, ...]:
        if not self._columns:
            shapes = await self._database.read(self._database.engine.tables)
            self._columns = {shape.name: shape.columns for shape in shapes}
        return self._columns[table.name]

    async def _note(self, wanted: _Wanted) -> None:
        """Write into the audit log who took it. Raises: NotFoundError."""
        table = "households" if wanted.kind == "household" else "accounts"

        def work(connection: Connection) -> None:
            sql = f"SELECT 1 FROM {table} WHERE region = ? AND id = ?"
            if connection.execute(sql, (self._region, wanted.subject)).fetchone() is None:
                raise NotFoundError(f"There is no such {wanted.kind}.")
            household = wanted.subject if wanted.kind == "household" else None
            act = Act(wanted.by, f"{wanted.kind}.exported", wanted.subject, household=household)
            record(connection, self._region, self._clock.wall(), act)

        await self._database.write(work)


class _Sink(io.RawIOBase):
    """What the archive is written to: pieces that wait to be sent. It can't go back."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """It only takes."""
        return True

    def write(self, data: Any, /) -> int:
        """Take bytes."""
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        """What came since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


def _written(table: Table, rows: Sequence[dict[str, Any]], first: bool) -> bytes:
    """Rows as JSON, one a line."""
    lines = [json.dumps(_shown(table, row), ensure_ascii=False) for row in rows]
    return (("\n" if first else ",\n") + ",\n".join(lines)).encode("utf-8", "backslashreplace")


def _shown(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in table.secret}
    for name in table.documents:
        if isinstance(shown.get(name), str):
            shown[name] = _document(shown[name])
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in shown.items()}


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
