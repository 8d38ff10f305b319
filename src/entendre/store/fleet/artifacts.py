"""Artifacts: files by the hash of their content, received in any number of stretches, whole or not there.

`<folder>/<brand>/<sha256>` is whole and checked; `….part` is what was received so far. What the database says was
received is on the disk; a file may be longer after a crash, and is cut back when somebody goes on.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO

from entendre.core.clock import Clock
from entendre.core.errors import ConflictError, InvalidInputError, NotFoundError, StoreError, TooLargeError
from entendre.fleet.releases import is_sha256
from entendre.ports.releases import ArtifactRecord
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.database import Database

MIB = 1024 * 1024
KEEP_EVERY_BYTES = 8 * MIB
"""How much may be lost when a connection or the machine goes while a file is received."""
READ_BYTES = MIB

_COLUMNS = "id, brand, size_bytes, received_bytes, complete, created_at_s, created_by"


class Artifacts:
    """Implements `ports.releases.ArtifactShelf`. `max_bytes`: of one file."""

    def __init__(self, database: Database, clock: Clock, region: str, folder: Path, max_bytes: int) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._folder = folder
        self._max_bytes = max_bytes
        self._receiving: set[tuple[str, str]] = set()

    async def artifact(self, brand: str, artifact: str) -> ArtifactRecord:
        """What is known of a file. Raises: NotFoundError."""
        found = await self._database.read(lambda connection: self._one(connection, brand, artifact))
        if found is None:
            raise NotFoundError("There is no such artifact.")
        return found

    async def artifacts(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[ArtifactRecord, ...]:
        """Files in the order of their hashes, after one."""
        sql = f"SELECT {_COLUMNS} FROM artifacts WHERE region = ? AND brand = ? AND id > ? ORDER BY id LIMIT ?"
        values = (self._region, brand, after, limit)
        rows = await self._database.read(lambda connection: connection.execute(sql, values).fetchall())
        return tuple(_record(row) for row in rows)

    async def upload(
        self, brand: str, artifact: str, *, offset: int, size_bytes: int, by: str
    ) -> Upload | ArtifactRecord:
        """Go on at an offset; the record itself if the file is whole already. Raises: as `ArtifactShelf.upload`."""
        if not is_sha256(artifact):
            raise InvalidInputError("An artifact is named by the SHA-256 of its content, in hexadecimal.")
        if not 0 < size_bytes <= self._max_bytes:
            raise TooLargeError(f"An artifact has 1 to {self._max_bytes} bytes (setting fleet.artifact_mb).")
        if (brand, artifact) in self._receiving:
            raise ConflictError("Somebody else is sending this artifact.")
        self._receiving.add((brand, artifact))
        try:
            found = await self._database.write(
                lambda connection: self._begin(connection, brand, artifact, size_bytes, by)
            )
            if not found.complete and found.received_bytes == size_bytes:
                found = await self.finish(found)
            if found.complete:
                self.release(found)
                return found
            file = await self._opened(found, offset)
        except BaseException:
            self._receiving.discard((brand, artifact))
            raise
        return Upload(self, found, file)

    async def _opened(self, found: ArtifactRecord, offset: int) -> BinaryIO:
        """The file to go on with. Raises: ConflictError, StoreError."""
        if offset != found.received_bytes:
            raise ConflictError(f"Go on at byte {found.received_bytes}: that much was received.")
        file = await asyncio.to_thread(_opened, self._part(found.brand, found.id), offset)
        if file is None:
            await self.keep(found, 0)
            raise ConflictError("Go on at byte 0: what was received is gone from the disk.")
        return file

    async def file(self, brand: str, artifact: str) -> Path:
        """Where a whole file is. Raises: NotFoundError."""
        if not (await self.artifact(brand, artifact)).complete:
            raise NotFoundError("There is no such artifact.")
        return self._whole(brand, artifact)

    # -- for Upload --------------------------------------------------------------------------------------------------

    async def keep(self, found: ArtifactRecord, received_bytes: int) -> ArtifactRecord:
        """Note how much is on the disk."""

        def work(connection: Connection) -> ArtifactRecord:
            sql = (
                "UPDATE artifacts SET received_bytes = ? WHERE region = ? AND brand = ? AND id = ? AND complete = 0"
                f" RETURNING {_COLUMNS}"
            )
            values = (received_bytes, self._region, found.brand, found.id)
            return _record(connection.execute(sql, values).fetchone())

        return await self._database.write(work)

    async def finish(self, found: ArtifactRecord) -> ArtifactRecord:
        """Check a file that was received whole. Raises: InvalidInputError, StoreError."""
        part, whole = self._part(found.brand, found.id), self._whole(found.brand, found.id)
        is_right = await asyncio.to_thread(_shelved, part, whole, found.id)
        if not is_right:
            await self._database.write(lambda connection: self._forget(connection, found))
            raise InvalidInputError("The content has another SHA-256 than its name; it was thrown away. Send it again.")

        def work(connection: Connection) -> ArtifactRecord:
            sql = (
                "UPDATE artifacts SET received_bytes = size_bytes, complete = 1"
                f" WHERE region = ? AND brand = ? AND id = ? RETURNING {_COLUMNS}"
            )
            row = connection.execute(sql, (self._region, found.brand, found.id)).fetchone()
            detail = {"size_bytes": found.size_bytes}
            act = Act(found.created_by, "artifact.uploaded", found.id, found.brand, detail=detail)
            record(connection, self._region, self._clock.wall(), act)
            return _record(row)

        return await self._database.write(work)

    def release(self, found: ArtifactRecord) -> None:
        """Let somebody else go on."""
        self._receiving.discard((found.brand, found.id))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _begin(self, connection: Connection, brand: str, artifact: str, size_bytes: int, by: str) -> ArtifactRecord:
        connection.execute(
            f"INSERT INTO artifacts (region, {_COLUMNS}) VALUES (?, ?, ?, ?, 0, 0, ?, ?) ON CONFLICT DO NOTHING",
            (self._region, artifact, brand, size_bytes, self._clock.wall(), by),
        )
        found = self._one(connection, brand, artifact)
        assert found is not None
        if found.size_bytes != size_bytes:
            raise InvalidInputError(f"This artifact was begun with {found.size_bytes} bytes, not {size_bytes}.")
        return found

    def _one(self, connection: Connection, brand: str, artifact: str) -> ArtifactRecord | None:
        sql = f"SELECT {_COLUMNS} FROM artifacts WHERE region = ? AND brand = ? AND id = ?"
        row = connection.execute(sql, (self._region, brand, artifact)).fetchone()
        return None if row is None else _record(row)

    def _forget(self, connection: Connection, found: ArtifactRecord) -> None:
        connection.execute(
            "DELETE FROM artifacts WHERE region = ? AND brand = ? AND id = ? AND complete = 0",
            (self._region, found.brand, found.id),
        )

    def _whole(self, brand: str, artifact: str) -> Path:
        return self._folder / brand / artifact

    def _part(self, brand: str, artifact: str) -> Path:
        return self._folder / brand / f"{artifact}.part"


class Upload:
    """Implements `ports.releases.ArtifactUpload`."""

    def __init__(self, artifacts: Artifacts, found: ArtifactRecord, file: BinaryIO) -> None:
        self._artifacts = artifacts
        self._found = found
        self._file = file
        self._received_bytes = found.received_bytes
        self._kept_bytes = found.received_bytes

    async def write(self, piece: bytes) -> None:
        """Take the next bytes. Raises: StoreError, TooLargeError."""
        if self._received_bytes + len(piece) > self._found.size_bytes:
            raise TooLargeError(f"The artifact was to have {self._found.size_bytes} bytes; more were sent.")
        await asyncio.to_thread(_written, self._file, piece)
        self._received_bytes += len(piece)
        if self._received_bytes - self._kept_bytes >= KEEP_EVERY_BYTES:
            await self._keep()

    async def close(self) -> ArtifactRecord:
        """Keep what was written; what is whole is checked. Raises: StoreError, InvalidInputError."""
        try:
            try:
                found = await self._keep()
            finally:
                await asyncio.to_thread(self._file.close)
            if self._received_bytes == self._found.size_bytes:
                found = await self._artifacts.finish(self._found)
            return found
        finally:
            self._artifacts.release(self._found)

    async def _keep(self) -> ArtifactRecord:
        await asyncio.to_thread(_synced, self._file)
        self._kept_bytes = self._received_bytes
        return await self._artifacts.keep(self._found, self._received_bytes)


def _opened(part: Path, offset: int) -> BinaryIO | None:
    """The file, cut back to what the database says was received; None if it has less. Raises: StoreError."""
    try:
        part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = part.open("r+b" if part.exists() else "w+b")
        if file.seek(0, os.SEEK_END) < offset:
            file.close()
            return None
        file.truncate(offset)
        file.seek(offset)
    except OSError as error:
        raise _store_error(error) from error
    return file


def _written(file: BinaryIO, piece: bytes) -> None:
    try:
        file.write(piece)
    except OSError as error:
        raise _store_error(error) from error


def _synced(file: BinaryIO) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise _store_error(error) from error


def _shelved(part: Path, whole: Path, sha256: str) -> bool:
    """Whether the content is what its name says: then it is put where whole files are, else it is thrown away."""
    try:
        if not part.exists() and whole.exists():  # a crash came between this and the database
            return True
        digest = hashlib.sha256()
        with part.open("rb") as file:
            while piece := file.read(READ_BYTES):
                digest.update(piece)
        if digest.hexdigest() != sha256:
            part.unlink()
            return False
        part.rename(whole)
        folder = os.open(whole.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _store_error(error) from error
    return True


def _store_error(error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError("The disk is full: make room for artifacts, then go on where the upload ended.")
    return StoreError("The artifact can't be kept.", detail=str(error))


def _record(row: Any) -> ArtifactRecord:
    artifact, brand, size_bytes, received_bytes, complete, created_at_s, created_by = row
    return ArtifactRecord(artifact, brand, size_bytes, received_bytes, bool(complete), created_at_s, created_by)
