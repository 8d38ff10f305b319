"""Partnerships: a brand lends its devices' assistant to another brand, and takes it back.

A product is lent to one partner at a time. Nothing is copied: whose assistant a device has is looked up, so that a
partnership which ends, or whose partner ends, leaves devices with their own brand's assistant at once.
"""

from __future__ import annotations

import json
from typing import Any

from entendre.core.clock import Clock
from entendre.core.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from entendre.ports.brands import LentDevice, PartnershipRecord
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce
from entendre.store.versions import require_version
from entendre.system import new_id

MAX_OPEN = 100
"""Partnerships of one brand at once, on either side."""
MAX_PRODUCTS = 100
"""Products that one partnership names."""
_COLUMNS = "id, brand, partner, products, started_at_s, started_by, version"
_OPEN = "FROM partnerships WHERE region = ? AND ended_at_s IS NULL"


class PartnershipStore:
    """The partnerships of one region."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region

    async def lend(self, brand: str, partner: str, products: tuple[str, ...], *, by: str) -> PartnershipRecord:
        """Let a partner's assistant answer on the devices of these products, of all for none.

        Raises: InvalidInputError, NotFoundError; AlreadyExistsError if one of them is lent.
        """
        if brand == partner:
            raise InvalidInputError("A brand can't lend to itself.")
        if len(products) > MAX_PRODUCTS:
            raise InvalidInputError(f"At most {MAX_PRODUCTS} products.")
        id, now_s = new_id(), self._clock.wall()

        def work(connection: Connection) -> PartnershipRecord:
            _require_brand(connection, self._region, partner)
            ids = tuple(dict.fromkeys(_product(connection, self._region, brand, each) for each in products))
            _require_free(connection, self._region, brand, partner, ids)
            made = PartnershipRecord(id, brand, partner, ids, now_s, by, 1)
            connection.execute(
                f"INSERT INTO partnerships (region, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (self._region, id, brand, partner, json.dumps(ids), now_s, by, 1),
            )
            _tell(connection, self._region, now_s, made, "lent", by)
            return made

        return await self._database.write(work)

    async def partnerships(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[PartnershipRecord, ...]:
        """What a brand lends and borrows now, by id."""
        sql = f"SELECT {_COLUMNS} {_OPEN} AND (brand = ? OR partner = ?) AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> tuple[PartnershipRecord, ...]:
            rows = connection.execute(sql, (self._region, brand, brand, after, limit))
            return tuple(_loaded(row) for row in rows)

        return await self._database.read(work)

    async def partnership(self, brand: str, id: str) -> PartnershipRecord:
        """One of them. Raises: NotFoundError."""
        return await self._database.read(lambda connection: _found(connection, self._region, brand, id))

    async def end(self, brand: str, id: str, *, by: str, version: int | None = None) -> None:
        """Take the assistant back, or leave. Raises: NotFoundError, StaleError."""
        now_s = self._clock.wall()

        def work(connection: Connection) -> None:
            found = _found(connection, self._region, brand, id)
            require_version(found.version, version)
            _end(connection, self._region, now_s, found, by)

        await self._database.write(work)

    async def lent_devices(self, partner: str, *, after: str = "", limit: int = 50) -> tuple[LentDevice, ...]:
        """The devices whose assistant a partner has now, by id."""

        def work(connection: Connection) -> tuple[LentDevice, ...]:
            sql = f"SELECT {_COLUMNS} {_OPEN} AND partner = ?"
            lent = [_loaded(row) for row in connection.execute(sql, (self._region, partner))]
            if not lent:
                return ()
            where, values = _devices_of(lent)
            sql = (
                "SELECT id, brand, product, online FROM fleet_devices"
                f" WHERE region = ? AND state <> 'revoked' AND id > ? AND ({where}) ORDER BY id LIMIT ?"
            )
            rows = connection.execute(sql, (self._region, after, *values, limit))
            return tuple(LentDevice(row[0], row[1], row[2], bool(row[3])) for row in rows)

        return await self._database.read(work)


def partner_of(connection: Connection, region: str, brand: str, product: str) -> str | None:
    """The partner whose assistant devices of a brand's product have; None for the brand's own."""
    sql = (
        "SELECT p.partner, p.products FROM partnerships p JOIN brands b ON b.region = p.region AND b.id = p.partner"
        " WHERE p.region = ? AND p.brand = ? AND p.ended_at_s IS NULL AND b.ended_at_s IS NULL"
    )
    for partner, products in connection.execute(sql, (region, brand)):
        named = json.loads(products)
        if not named or product in named:
            return str(partner)
    return None


def end_partnerships(connection: Connection, region: str, now_s: float, brand: str, by: str) -> None:
    """End every partnership of a brand, on either side."""
    sql = f"SELECT {_COLUMNS} {_OPEN} AND (brand = ? OR partner = ?)"
    for row in connection.execute(sql, (region, brand, brand)).fetchall():
        _end(connection, region, now_s, _loaded(row), by)


def _end(connection: Connection, region: str, now_s: float, ended: PartnershipRecord, by: str) -> None:
    connection.execute(
        "UPDATE partnerships SET ended_at_s = ?, ended_by = ?, version = version + 1 WHERE region = ? AND id = ?",
        (now_s, by, region, ended.id),
    )
    _tell(connection, region, now_s, ended, "ended", by)


def _tell(connection: Connection, region: str, now_s: float, whole: PartnershipRecord, change: str, by: str) -> None:
    """Both sides hear of it, and both find it in their audit log."""
    detail = {"brand": whole.brand, "partner": whole.partner, "products": list(whole.products)}
    for side in (whole.brand, whole.partner):
        record(connection, region, now_s, Act(by, f"partnership.{change}", whole.id, brand=side, detail=detail))
        announce(connection, region, now_s, [FeedEntry(side, "brand", whole.id, f"partnership_{change}", data=detail)])


def _devices_of(lent: list[PartnershipRecord]) -> tuple[str, list[Any]]:
    """The condition that a device is lent, and its values."""
    conditions, values = [], []
    for each in lent:
        if not each.products:
            conditions.append("brand = ?")
            values.append(each.brand)
            continue
        marks = ", ".join("?" for _ in each.products)
        conditions.append(f"(brand = ? AND product IN ({marks}))")
        values += [each.brand, *each.products]
    return " OR ".join(conditions), values


def _require_brand(connection: Connection, region: str, brand: str) -> None:
    sql = "SELECT 1 FROM brands WHERE region = ? AND id = ? AND ended_at_s IS NULL"
    if connection.execute(sql, (region, brand)).fetchone() is None:
        raise NotFoundError("There is no such partner.")


def _product(connection: Connection, region: str, brand: str, named: str) -> str:
    sql = (
        "SELECT id FROM products WHERE region = ? AND brand = ? AND (id = ? OR name = ?) AND ended_at_s IS NULL"
        " ORDER BY CASE WHEN id = ? THEN 0 ELSE 1 END LIMIT 1"
    )
    found = connection.execute(sql, (region, brand, named, named, named)).fetchone()
    if found is None:
        raise NotFoundError("There is no such product.")
    return str(found[0])


def _require_free(connection: Connection, region: str, brand: str, partner: str, products: tuple[str, ...]) -> None:
    """Refuse what is lent already, and more than can be looked at. Raises: AlreadyExistsError, InvalidInputError."""
    count = f"SELECT count(*) {_OPEN} AND (brand = ? OR partner = ?)"
    for side in (brand, partner):
        if connection.execute(count, (region, side, side)).fetchone()[0] >= MAX_OPEN:
            raise InvalidInputError(f"A brand has at most {MAX_OPEN} partnerships at once.")
    for (text,) in connection.execute(f"SELECT products {_OPEN} AND brand = ?", (region, brand)):
        lent = set(json.loads(text))
        if not lent or not products or lent & set(products):
            raise AlreadyExistsError("Some of these products are lent to a partner already.")


def _found(connection: Connection, region: str, brand: str, id: str) -> PartnershipRecord:
    sql = f"SELECT {_COLUMNS} {_OPEN} AND id = ? AND (brand = ? OR partner = ?)"
    row = connection.execute(sql, (region, id, brand, brand)).fetchone()
    if row is None:
        raise NotFoundError("There is no such partnership.")
    return _loaded(row)


def _loaded(row: Any) -> PartnershipRecord:
    return PartnershipRecord(row[0], row[1], row[2], tuple(json.loads(row[3])), *row[4:])
