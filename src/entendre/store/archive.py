"""The file of a backup: a gzipped tar of parts, and at its end a manifest that names each with its SHA-256.

A part is some rows of a table as lines of JSON, each an array in the order of the manifest's columns (bytes in base64),
or an artifact. The file appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from entendre.core.errors import InvalidInputError, StoreError

FORMAT = "entendre-backup-1"
MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
MAX_PART_BYTES = 64 * 1024 * 1024
"""Of a part of rows; artifacts have no bound here, as they are never in memory."""
BLOCK_BYTES = 1024 * 1024
COMPRESSION = 3
_TABLE_PART = re.compile(r"tables/[a-z_]{1,64}/[0-9]{6,12}\.jsonl")
_ARTIFACT_PART = re.compile(r"artifacts/[A-Za-z0-9-]{1,64}/[0-9a-f]{64}")
_DAMAGE = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, msgspec.DecodeError)

Block = Callable[[int], None]
"""Told how many bytes went by."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One member of the archive."""

    name: str
    size_bytes: int
    sha256: str


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the archive holds of one table."""

    columns: list[str]
    kinds: list[str]
    rows: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the archive holds. `missing`: artifacts whose file was not there."""

    format: str
    program: str
    schema: int
    engine: str
    region: str
    created_at_s: float
    tables: dict[str, Table]
    parts: list[Part]
    missing: list[str]


class Writer:
    """An archive that is being written."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.parts: list[Part] = []

    def add(self, name: str, content: bytes) -> None:
        """Add rows."""
        self._tar.addfile(_member(name, len(content)), io.BytesIO(content))
        self.parts.append(Part(name, len(content), hashlib.sha256(content).hexdigest()))

    def add_file(self, name: str, file: IO[bytes], size_bytes: int, sha256: str) -> None:
        """Add an artifact, whose hash is known. Raises: OSError when it ends too soon."""
        self._tar.addfile(_member(name, size_bytes), file)
        self.parts.append(Part(name, size_bytes, sha256))

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest."""
        content = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        self._tar.addfile(_member(MANIFEST, len(content)), io.BytesIO(content))


@contextlib.contextmanager
def written(path: Path) -> Iterator[Writer]:
    """Write an archive beside its place, and put it there once it is whole and on the disk. Raises: StoreError."""
    try:
        if path.exists():
            raise InvalidInputError(f"{path} is there already.")
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise StoreError("The backup can't be written.", detail=f"{path}: {error.strerror}") from error
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=COMPRESSION) as tar:
                yield Writer(tar)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError("The backup can't be written.", detail=f"{path}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def checked(path: Path, passed: Block) -> Manifest:
    """Read the whole archive, and compare every part with the manifest.

    Raises: InvalidInputError when it is damaged, incomplete, or no backup.
    """
    found: dict[str, Part] = {}
    manifest = b""
    with _opened(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is None or member.name in found or manifest:
                raise _damaged(path, f"{member.name} does not belong there")
            if member.name == MANIFEST:
                manifest = file.read(MAX_MANIFEST_BYTES)
                continue
            found[member.name] = _hashed(path, member, file, passed)
    if not manifest:
        raise _damaged(path, "it has no manifest")
    try:
        decoded = msgspec.json.decode(manifest, type=Manifest)
    except msgspec.DecodeError as error:
        raise _damaged(path, str(error)) from error
    if decoded.format != FORMAT:
        raise InvalidInputError(f"{path} is a backup of another format ({decoded.format}).")
    if {part.name: part for part in decoded.parts} != found:
        raise _damaged(path, "its parts are not those of its manifest")
    return decoded


def parts_of(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """The parts in their order, with their content; of an archive that was checked."""
    with _opened(path) as tar:
        for member in tar:
            file = tar.extractfile(member)
            if file is not None and member.name != MANIFEST:
                yield member.name, file


def _hashed(path: Path, member: tarfile.TarInfo, file: IO[bytes], passed: Block) -> Part:
    of_rows = _TABLE_PART.fullmatch(member.name) is not None
    if not of_rows and _ARTIFACT_PART.fullmatch(member.name) is None:
        raise _damaged(path, f"{member.name} does not belong there")
    if of_rows and member.size > MAX_PART_BYTES:
        raise _damaged(path, f"{member.name} is too large")
    digest = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        passed(len(block))
    return Part(member.name, member.size, digest.hexdigest())


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r|gz") as tar:
            yield tar
    except _DAMAGE as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise StoreError("The backup can't be read.", detail=f"{path}: {error.strerror or error}") from error


def _member(name: str, size_bytes: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size_bytes
    member.mode = 0o600
    return member


def _damaged(path: Path, why: str) -> InvalidInputError:
    return InvalidInputError(f"{path} is damaged, or no backup.", detail=why)


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
