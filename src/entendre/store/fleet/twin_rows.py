"""Twins as rows: loaded together, changed in order, saved together; used inside a transaction of the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from entendre.core.device import MAX_LABEL_CHARS
from entendre.core.errors import NotFoundError, StaleError
from entendre.fleet.twins import Document, Section, Versions, changed, document_of, leaves_of
from entendre.ports.fleet_twins import TwinChange, TwinPatch, TwinRecord
from entendre.store.connection import Connection
from entendre.store.feed import FeedEntry, announce

SECTIONS: tuple[Section, ...] = ("tags", "desired", "reported")
FIRMWARE = "firmware"
"""What a device reports under this key is what the registry shows as its firmware."""

_TWIN = "tags, tags_version, desired, desired_version, reported, reported_version, changed_at_s"
_MARKS = (1, 8, 32, 128, 256, 512)
"""Lengths of `IN (…)` lists: few different statements, so that engines keep them prepared."""


def marks_for(values: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Marks of an `IN` list and its values, filled up with the last one."""
    room = next((each for each in _MARKS if each >= len(values)), len(values))
    return ", ".join("?" * room), (*values, *(values[-1:] * (room - len(values))))


def new_twin(connection: Connection, region: str, brand: str, device: str, now_s: float) -> None:
    """The empty twin of a new device."""
    first = Versions()
    sql = (
        "INSERT INTO twins (region, id, brand, tags, tags_version, desired, desired_version, reported,"
        " reported_version, changed_at_s) VALUES (?, ?, ?, '{}', ?, '{}', ?, '{}', ?, ?) ON CONFLICT DO NOTHING"
    )
    connection.execute(sql, (region, device, brand, first.tags, first.desired, first.reported, now_s))


def drop_twin(connection: Connection, region: str, brand: str, device: str) -> None:
    """Remove a twin with its index."""
    connection.execute("DELETE FROM twins WHERE region = ? AND brand = ? AND id = ?", (region, brand, device))
    sql = "DELETE FROM device_tags WHERE region = ? AND brand = ? AND device = ?"
    connection.execute(sql, (region, brand, device))


def twin_of(connection: Connection, region: str, brand: str, device: str) -> TwinRecord | None:
    """A whole twin."""
    sql = f"SELECT {_TWIN} FROM twins WHERE region = ? AND brand = ? AND id = ?"
    row = connection.execute(sql, (region, brand, device)).fetchone()
    if row is None:
        return None
    tags, tags_version, desired, desired_version, reported, reported_version, changed_at_s = row
    return TwinRecord(
        device=device,
        brand=brand,
        tags=document_of(tags),
        desired=document_of(desired),
        reported=document_of(reported),
        tags_version=tags_version,
        desired_version=desired_version,
        reported_version=reported_version,
        etag=Versions(tags_version, desired_version, reported_version).etag,
        changed_at_s=changed_at_s,
    )


@dataclass(slots=True)
class _Twin:
    """A twin inside a batch; `documents` are those that were needed so far."""

    brand: str
    household: str | None
    firmware: str
    versions: Versions
    texts: dict[Section, str]
    documents: dict[Section, Document] = field(default_factory=dict)
    before: Document | None = None
    """The tags before the batch, once they change."""
    said_firmware: str | None = None

    def document(self, section: Section) -> Document:
        found = self.documents.get(section)
        if found is None:
            found = self.documents[section] = document_of(self.texts[section])
        return found


class TwinBatch:
    """Patches of one transaction: `load`, `apply` each in order, then `save` once."""

    def __init__(self, connection: Connection, region: str, now_s: float) -> None:
        self._connection = connection
        self._region = region
        self._now_s = now_s
        self._twins: dict[tuple[str, str], _Twin] = {}
        self._entries: list[FeedEntry] = []
        self._touched: dict[Section, dict[tuple[str, str], None]] = {each: {} for each in SECTIONS}

    def load(self, patches: Iterable[TwinPatch]) -> None:
        """Read the twins that patches are of, in one statement for each brand."""
        wanted: dict[str, dict[str, None]] = {}
        for patch in patches:
            wanted.setdefault(patch.brand, {})[patch.device] = None
        for brand, devices in wanted.items():
            marks, ids = marks_for(tuple(devices))
            sql = (
                "SELECT t.id, t.tags, t.tags_version, t.desired, t.desired_version, t.reported, t.reported_version,"
                " d.household, d.firmware FROM twins t JOIN fleet_devices d ON d.region = t.region AND d.id = t.id"
                f" WHERE t.region = ? AND t.brand = ? AND t.id IN ({marks})"
            )
            for row in self._connection.execute(sql, (self._region, brand, *ids)):
                device, tags, tags_version, desired, desired_version, reported, reported_version, home, firmware = row
                versions = Versions(tags_version, desired_version, reported_version)
                texts: dict[Section, str] = {"tags": tags, "desired": desired, "reported": reported}
                self._twins[brand, device] = _Twin(brand, home, firmware, versions, texts)

    def apply(self, patch: TwinPatch, by: str) -> TwinChange:
        """Apply one checked patch. Raises: NotFoundError, StaleError, TooLargeError; then nothing was changed."""
        key, section = (patch.brand, patch.device), patch.section
        twin = self._twins.get(key)
        if twin is None:
            raise NotFoundError("There is no such device.")
        if patch.if_match is not None and patch.if_match != twin.versions.etag:
            raise StaleError("The twin was changed meanwhile. Read it again, then change it.")
        before = twin.document(section)
        after, text = changed(section, before, patch.patch, replace=patch.replace)
        if section == "tags" and twin.before is None:
            twin.before = before
        twin.documents[section], twin.texts[section] = after, text
        twin.versions = twin.versions.raised(section)
        if section == "reported":
            self._note_firmware(patch.device, twin, patch.patch.get(FIRMWARE))
        self._touched[section][key] = None
        version = getattr(twin.versions, section)
        self._entries.append(
            FeedEntry(
                brand=patch.brand,
                topic=f"twin.{section}",
                subject=patch.device,
                change="replaced" if patch.replace else "patched",
                household=twin.household,
                version=version,
                data={"patch": patch.patch, "by": by},
            )
        )
        return TwinChange(patch.device, section, version, twin.versions.etag, after)

    def save(self) -> None:
        """Write what was changed, its index and its announcements."""
        for section, keys in self._touched.items():
            if keys:
                self._save_section(section, keys)
        self._save_index()
        self._save_firmware()
        if self._entries:
            announce(self._connection, self._region, self._now_s, self._entries)

    def _save_section(self, section: Section, keys: Iterable[tuple[str, str]]) -> None:
        rows = []
        for brand, device in keys:
            twin = self._twins[brand, device]
            version = getattr(twin.versions, section)
            rows.append((self._region, brand, device, twin.texts[section], version, self._now_s))
        columns = (section, f"{section}_version", "changed_at_s")
        self._connection.update_many("twins", ("region", "brand", "id"), columns, rows)

    def _save_index(self) -> None:
        gone, come = [], []
        for brand, device in self._touched["tags"]:
            twin = self._twins[brand, device]
            before, after = leaves_of(twin.before or {}), leaves_of(twin.documents["tags"])
            gone += [(self._region, brand, *leaf, device) for leaf in sorted(before - after)]
            come += [(self._region, brand, *leaf, device) for leaf in sorted(after - before)]
        if gone:
            sql = "DELETE FROM device_tags WHERE region = ? AND brand = ? AND path = ? AND value = ? AND device = ?"
            self._connection.executemany(sql, gone)
        if come:
            self._connection.insert_many("device_tags", ("region", "brand", "path", "value", "device"), come)

    def _note_firmware(self, device: str, twin: _Twin, said: Any) -> None:
        if isinstance(said, str) and 0 < len(said) <= MAX_LABEL_CHARS and said.isprintable() and said != twin.firmware:
            twin.firmware = twin.said_firmware = said
            self._entries.append(firmware_entry(twin.brand, device, twin.household, said))

    def _save_firmware(self) -> None:
        said = [
            (self._region, brand, device, twin.said_firmware)
            for (brand, device), twin in self._twins.items()
            if twin.said_firmware is not None
        ]
        if said:
            self._connection.update_many("fleet_devices", ("region", "brand", "id"), ("firmware",), said)


def firmware_entry(brand: str, device: str, household: str | None, firmware: str) -> FeedEntry:
    """What the feed says of a device that runs other firmware now."""
    return FeedEntry(brand, "device", device, "firmware", household=household, data={"firmware": firmware})
