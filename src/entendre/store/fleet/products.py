"""Products of brands."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Any

from entendre.core.clock import Clock
from entendre.core.errors import AlreadyExistsError, ConflictError, InvalidInputError, NotFoundError
from entendre.fleet.naming import MAX_LABEL_CHARS, label_of, slug_of, words_of
from entendre.ports.brands import NewProduct, ProductChanges, ProductRecord
from entendre.store.audit import Act, record
from entendre.store.connection import HOME, Connection
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce
from entendre.store.versions import require_version
from entendre.system import new_id

_NAMES = tuple(field.name for field in fields(ProductRecord))
_COLUMNS = ", ".join(_NAMES)
_AS_JSON = frozenset({"tools", "wake_words", "voices"})


class ProductStore:
    """The products of one region."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region

    async def create(self, brand: str, new: NewProduct, *, by: str) -> ProductRecord:
        """Make a product. Raises: InvalidInputError, AlreadyExistsError."""
        name, kept = slug_of(new.name), _checked(asdict(new))
        made = ProductRecord(
            **(kept | {"name": name}),
            id=new_id(),
            brand=brand,
            created_at_s=self._clock.wall(),
            created_by=by,
            version=1,
        )

        def work(connection: Connection) -> ProductRecord:
            if _row(connection, self._region, brand, name) is not None:
                raise AlreadyExistsError("There is a product of this name.")
            marks = ", ".join("?" for _ in range(len(_NAMES) + 1))
            values = [_stored(made, column) for column in _NAMES]
            connection.execute(f"INSERT INTO products (region, {_COLUMNS}) VALUES ({marks})", (self._region, *values))
            self._told(connection, made, "created", by, {"name": name})
            return made

        return await self._database.write(work)

    async def products(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[ProductRecord, ...]:
        """Products that have not ended, by id."""
        sql = (
            f"SELECT {_COLUMNS} FROM products WHERE region = ? AND brand = ? AND ended_at_s IS NULL AND id > ?"
            " ORDER BY id LIMIT ?"
        )

        def work(connection: Connection) -> tuple[ProductRecord, ...]:
            return tuple(_loaded(row) for row in connection.execute(sql, (self._region, brand, after, limit)))

        return await self._database.read(work)

    async def product(self, brand: str, named: str) -> ProductRecord:
        """A product, by id or name. Raises: NotFoundError."""
        return await self._database.read(lambda connection: _found(connection, self._region, brand, named))

    async def change(
        self, brand: str, product: str, changes: ProductChanges, *, by: str, version: int | None = None
    ) -> ProductRecord:
        """Change a product, if it has that version still. Raises: NotFoundError, InvalidInputError, StaleError."""
        kept = _checked({name: each for name, each in asdict(changes).items() if each is not None})

        def work(connection: Connection) -> ProductRecord:
            old = _found(connection, self._region, brand, product)
            require_version(old.version, version)
            new = ProductRecord(**(asdict(old) | kept | {"version": old.version + 1}))
            sets = ", ".join(f"{column} = ?" for column in (*kept, "version"))
            connection.execute(
                f"UPDATE products SET {sets} WHERE region = ? AND brand = ? AND id = ?",
                (*(_stored(new, column) for column in (*kept, "version")), self._region, brand, old.id),
            )
            self._told(connection, new, "changed", by, {"changed": sorted(kept)})
            return new

        return await self._database.write(work)

    async def end(self, brand: str, product: str, *, by: str, version: int | None = None) -> None:
        """End a product. Raises: NotFoundError, StaleError; ConflictError while it has devices that are not revoked."""
        now_s = self._clock.wall()

        def work(connection: Connection) -> None:
            old = _found(connection, self._region, brand, product)
            require_version(old.version, version)
            if brand == HOME and old.id == "speaker":
                raise InvalidInputError("The built-in product stays.")
            sql = "SELECT 1 FROM fleet_devices WHERE region = ? AND brand = ? AND product = ? AND state <> ? LIMIT 1"
            if connection.execute(sql, (self._region, brand, old.id, "revoked")).fetchone() is not None:
                raise ConflictError("The product has devices: revoke or forget them first.")
            connection.execute(
                "UPDATE products SET ended_at_s = ?, version = ? WHERE region = ? AND brand = ? AND id = ?",
                (now_s, old.version + 1, self._region, brand, old.id),
            )
            self._told(connection, old, "ended", by, {"name": old.name})

        await self._database.write(work)

    def _told(self, connection: Connection, product: ProductRecord, done: str, by: str, detail: Any) -> None:
        now_s, brand, id = self._clock.wall(), product.brand, product.id
        record(connection, self._region, now_s, Act(by, f"product.{done}", id, brand=brand, detail=detail))
        entry = FeedEntry(brand, "product", id, done, version=product.version)
        announce(connection, self._region, now_s, [entry])


def _row(connection: Connection, region: str, brand: str, named: str) -> Any:
    for column in ("id", "name"):
        sql = f"SELECT {_COLUMNS} FROM products WHERE region = ? AND brand = ? AND {column} = ? AND ended_at_s IS NULL"
        found = connection.execute(sql, (region, brand, named)).fetchone()
        if found is not None:
            return found
    return None


def _found(connection: Connection, region: str, brand: str, named: str) -> ProductRecord:
    row = _row(connection, region, brand, named)
    if row is None:
        raise NotFoundError("There is no such product.")
    return _loaded(row)


def _loaded(row: Any) -> ProductRecord:
    values = dict(zip(_NAMES, row, strict=True))
    return ProductRecord(**(values | {name: tuple(json.loads(values[name])) for name in _AS_JSON}))


def _stored(product: ProductRecord, column: str) -> Any:
    value = getattr(product, column)
    return json.dumps(value, ensure_ascii=False) if column in _AS_JSON else value


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """What a product is to be, checked. Raises: InvalidInputError."""
    kept = dict(given)
    for name in _AS_JSON & set(kept):
        kept[name] = words_of(kept[name])
    if "display_name" in kept:
        kept["display_name"] = label_of(kept["display_name"])
    if "channel" in kept:
        kept["channel"] = slug_of(kept["channel"])
    if "model" in kept and (len(kept["model"]) > MAX_LABEL_CHARS or not kept["model"].isprintable()):
        raise InvalidInputError(f"A model has at most {MAX_LABEL_CHARS} printable characters.")
    return kept
