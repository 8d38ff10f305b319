"""Brands: made, changed and ended by whoever runs the server, and the assistant that their devices have."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from entendre.core.clock import Clock
from entendre.core.device import language_of
from entendre.core.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from entendre.fleet.naming import label_of, slug_of, words_of
from entendre.ports.brands import AssistantProfile, BrandChanges, BrandRecord, EffectiveAssistant
from entendre.store.audit import Act, record
from entendre.store.connection import HOME, Connection
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce
from entendre.store.fleet.partnerships import end_partnerships, partner_of
from entendre.store.versions import require_version
from entendre.system import new_id

HOME_PRODUCT = "speaker"
"""Id and name of the product that every speaker of a home without makers is."""
_COLUMNS = "id, name, display_name, assistant, created_at_s, created_by, version"


class BrandStore:
    """The brands of one region."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region

    async def ensure_home(self) -> None:
        """Make the built-in brand and its product, unless they are there."""
        now_s = self._clock.wall()

        def work(connection: Connection) -> None:
            connection.execute(
                f"INSERT INTO brands (region, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (self._region, HOME, HOME, "Home", _json_of(AssistantProfile("Entendre")), now_s, "entendre", 1),
            )
            connection.execute(
                "INSERT INTO products (region, id, brand, name, display_name, kind, model, channel, tools, wake_words,"
                " voices, created_at_s, created_by, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (
                    *(self._region, HOME_PRODUCT, HOME, HOME_PRODUCT, "Speaker", "speaker", "", "stable"),
                    *("[]", "[]", "[]", now_s, "entendre", 1),
                ),
            )

        await self._database.write(work)

    async def create(
        self, name: str, display_name: str, assistant: AssistantProfile | None = None, *, by: str
    ) -> BrandRecord:
        """Make a brand. Raises: InvalidInputError, AlreadyExistsError."""
        label = label_of(display_name)
        profile = _checked(assistant or AssistantProfile(label))
        made = BrandRecord(new_id(), slug_of(name), label, profile, self._clock.wall(), by, 1)

        def work(connection: Connection) -> BrandRecord:
            if _row(connection, self._region, made.name) is not None:
                raise AlreadyExistsError("There is a brand of this name.")
            connection.execute(
                f"INSERT INTO brands (region, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (self._region, made.id, made.name, label, _json_of(profile), made.created_at_s, by, 1),
            )
            self._told(connection, made.id, "created", by, 1, {"name": made.name})
            return made

        return await self._database.write(work)

    async def brands(self, *, after: str = "", limit: int = 50) -> tuple[BrandRecord, ...]:
        """Brands that have not ended, by id."""
        sql = f"SELECT {_COLUMNS} FROM brands WHERE region = ? AND ended_at_s IS NULL AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> tuple[BrandRecord, ...]:
            return tuple(_loaded(row) for row in connection.execute(sql, (self._region, after, limit)))

        return await self._database.read(work)

    async def brand(self, named: str) -> BrandRecord:
        """A brand that has not ended, by id or name. Raises: NotFoundError."""
        return await self._database.read(lambda connection: _found(connection, self._region, named))

    async def named(self, named: str) -> str | None:
        """The id of a brand, by id or name; None if there is none, or none any more."""

        def work(connection: Connection) -> str | None:
            row = _row(connection, self._region, named)
            return None if row is None else str(row[0])

        return await self._database.read(work)

    async def change(self, brand: str, changes: BrandChanges, *, by: str, version: int | None = None) -> BrandRecord:
        """Change a brand, if it has that version still. Raises: NotFoundError, InvalidInputError, StaleError."""
        label = None if changes.display_name is None else label_of(changes.display_name)
        profile = None if changes.assistant is None else _checked(changes.assistant)

        def work(connection: Connection) -> BrandRecord:
            old = _found(connection, self._region, brand)
            require_version(old.version, version)
            sql = "UPDATE brands SET display_name = ?, assistant = ?, version = ? WHERE region = ? AND id = ?"
            texts = (label or old.display_name, _json_of(profile or old.assistant))
            connection.execute(sql, (*texts, old.version + 1, self._region, old.id))
            changed = [name for name, value in (("display_name", label), ("assistant", profile)) if value is not None]
            self._told(connection, old.id, "changed", by, old.version + 1, {"changed": changed})
            return _found(connection, self._region, old.id)

        return await self._database.write(work)

    async def end(self, brand: str, *, by: str, version: int | None = None) -> None:
        """End a brand, its partnerships, keys and webhooks: devices lent to it have their own brand's assistant again.

        Raises: NotFoundError, StaleError; InvalidInputError for the built-in brand.
        """
        if brand == HOME:
            raise InvalidInputError("The built-in brand stays.")
        now_s = self._clock.wall()

        def work(connection: Connection) -> None:
            old = _found(connection, self._region, brand)
            require_version(old.version, version)
            connection.execute(
                "UPDATE brands SET ended_at_s = ?, version = ? WHERE region = ? AND id = ?",
                (now_s, old.version + 1, self._region, old.id),
            )
            end_partnerships(connection, self._region, now_s, old.id, by)
            _shut_out(connection, self._region, now_s, old.id)
            self._told(connection, old.id, "ended", by, old.version + 1, {"name": old.name})

        await self._database.write(work)

    async def assistant_of(self, brand: str, product: str) -> EffectiveAssistant:
        """The assistant that devices of a brand's product have now. Raises: NotFoundError for an unknown brand."""

        return await self._database.read(lambda connection: _assistant(connection, self._region, brand, product))

    async def assistant_of_device(self, device: str) -> EffectiveAssistant:
        """The assistant that one device has now. Raises: NotFoundError."""
        sql = "SELECT brand, product FROM fleet_devices WHERE region = ? AND id = ?"

        def work(connection: Connection) -> EffectiveAssistant:
            found = connection.execute(sql, (self._region, device)).fetchone()
            if found is None:
                raise NotFoundError("There is no such device.")
            return _assistant(connection, self._region, found[0], found[1])

        return await self._database.read(work)

    def _told(self, connection: Connection, brand: str, done: str, by: str, version: int, detail: Any) -> None:
        now_s = self._clock.wall()
        record(connection, self._region, now_s, Act(by, f"brand.{done}", brand, brand=brand, detail=detail))
        announce(connection, self._region, now_s, [FeedEntry(brand, "brand", brand, done, version=version)])


def _shut_out(connection: Connection, region: str, now_s: float, brand: str) -> None:
    """Nobody could take these back from a brand that is no more."""
    sql = "UPDATE api_keys SET revoked_at_s = ? WHERE region = ? AND brand = ? AND revoked_at_s IS NULL"
    connection.execute(sql, (now_s, region, brand))
    sql = "UPDATE webhooks SET enabled = 0, version = version + 1 WHERE region = ? AND brand = ? AND enabled = 1"
    connection.execute(sql, (region, brand))


def _assistant(connection: Connection, region: str, brand: str, product: str) -> EffectiveAssistant:
    partner = partner_of(connection, region, brand, product)
    whose = brand if partner is None else partner
    sql = "SELECT assistant FROM brands WHERE region = ? AND id = ?"
    found = connection.execute(sql, (region, whose)).fetchone()
    if found is None:
        raise NotFoundError("There is no such brand.")
    return EffectiveAssistant(whose, _profile_of(found[0]), lent=partner is not None)


def _row(connection: Connection, region: str, named: str) -> Any:
    sql = f"SELECT {_COLUMNS} FROM brands WHERE region = ? AND id = ? AND ended_at_s IS NULL"
    found = connection.execute(sql, (region, named)).fetchone()
    if found is not None:
        return found
    sql = f"SELECT {_COLUMNS} FROM brands WHERE region = ? AND name = ? AND ended_at_s IS NULL"
    return connection.execute(sql, (region, named)).fetchone()


def _found(connection: Connection, region: str, named: str) -> BrandRecord:
    row = _row(connection, region, named)
    if row is None:
        raise NotFoundError("There is no such brand.")
    return _loaded(row)


def _loaded(row: Any) -> BrandRecord:
    return BrandRecord(row[0], row[1], row[2], _profile_of(row[3]), *row[4:])


def _profile_of(text: str) -> AssistantProfile:
    kept = json.loads(text)
    return AssistantProfile(kept["name"], tuple(kept["wake_words"]), kept["voice"], kept["language"])


def _json_of(profile: AssistantProfile) -> str:
    return json.dumps(asdict(profile), ensure_ascii=False)


def _checked(profile: AssistantProfile) -> AssistantProfile:
    voice = None if not profile.voice else words_of([profile.voice])[0]
    language = language_of(profile.language or "") or None
    return AssistantProfile(label_of(profile.name), words_of(profile.wake_words), voice, language)
