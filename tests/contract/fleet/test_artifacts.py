"""Artifacts: any number of stretches, crashes between them, and content that is not what it is called."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from makers import REGION, upload

from entendre.core.errors import ConflictError, InvalidInputError, NotFoundError, StoreError, TooLargeError
from entendre.ports.releases import ArtifactRecord
from entendre.store.database import Database
from entendre.store.fleet.artifacts import Artifacts, Upload
from entendre.system import SystemClock

CONTENT = bytes(range(256)) * 40
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def shelf(database: Database, tmp_path: Path) -> Artifacts:
    return Artifacts(database, SystemClock(), REGION, tmp_path / "artifacts", 20_000)


async def began(shelf: Artifacts, offset: int, sha256: str = SHA, size_bytes: int = len(CONTENT)) -> Upload:
    receiving = await shelf.upload("acme", sha256, offset=offset, size_bytes=size_bytes, by="test")
    assert isinstance(receiving, Upload)
    return receiving


async def test_a_file_in_one_go(shelf: Artifacts) -> None:
    found = await upload(shelf, CONTENT)
    assert (found.complete, found.received_bytes) == (True, len(CONTENT))
    assert (await shelf.file("acme", SHA)).read_bytes() == CONTENT
    assert await upload(shelf, CONTENT) == found, "what is whole is not sent again"
    assert await shelf.artifacts("acme") == (found,)


async def test_a_file_in_stretches(shelf: Artifacts) -> None:
    first = await began(shelf, 0)
    await first.write(CONTENT[:3_000])
    assert (await first.close()).received_bytes == 3_000
    with pytest.raises(NotFoundError):
        await shelf.file("acme", SHA)
    with pytest.raises(ConflictError, match="byte 3000"):
        await began(shelf, 2_000)
    second = await began(shelf, 3_000)
    await second.write(CONTENT[3_000:])
    assert (await second.close()).complete


async def test_what_came_after_the_last_note_is_cut_off(shelf: Artifacts, tmp_path: Path) -> None:
    first = await began(shelf, 0)
    await first.write(CONTENT[:3_000])
    await first.close()
    part = tmp_path / "artifacts" / "acme" / f"{SHA}.part"
    part.write_bytes(part.read_bytes() + b"half a sector")
    second = await began(shelf, 3_000)
    await second.write(CONTENT[3_000:])
    assert (await second.close()).complete


async def test_a_crash_before_and_after_the_rename(shelf: Artifacts, database: Database, tmp_path: Path) -> None:
    await upload(shelf, CONTENT)
    await database.write(lambda connection: connection.execute("UPDATE artifacts SET complete = 0"))
    found = await shelf.upload("acme", SHA, offset=len(CONTENT), size_bytes=len(CONTENT), by="test")
    assert isinstance(found, ArtifactRecord)
    assert found.complete
    await database.write(lambda connection: connection.execute("UPDATE artifacts SET complete = 0"))
    folder = tmp_path / "artifacts" / "acme"
    (folder / SHA).rename(folder / f"{SHA}.part")
    found = await shelf.upload("acme", SHA, offset=len(CONTENT), size_bytes=len(CONTENT), by="test")
    assert isinstance(found, ArtifactRecord)
    assert (await shelf.file("acme", SHA)).read_bytes() == CONTENT


async def test_a_part_that_is_gone_is_sent_again(shelf: Artifacts, tmp_path: Path) -> None:
    first = await began(shelf, 0)
    await first.write(CONTENT[:3_000])
    await first.close()
    (tmp_path / "artifacts" / "acme" / f"{SHA}.part").unlink()
    with pytest.raises(ConflictError, match="byte 0"):
        await began(shelf, 3_000)
    assert (await upload(shelf, CONTENT)).complete


async def test_other_content_is_thrown_away(shelf: Artifacts, tmp_path: Path) -> None:
    receiving = await began(shelf, 0)
    await receiving.write(CONTENT[:-1] + b"!")
    with pytest.raises(InvalidInputError, match="another SHA-256"):
        await receiving.close()
    assert not list((tmp_path / "artifacts" / "acme").iterdir())
    assert (await upload(shelf, CONTENT)).complete


async def test_bounds(shelf: Artifacts) -> None:
    for sha256 in ("", SHA.upper(), "../" + SHA[3:]):
        with pytest.raises(InvalidInputError):
            await began(shelf, 0, sha256)
    for size_bytes in (0, 20_001):
        with pytest.raises(TooLargeError):
            await began(shelf, 0, size_bytes=size_bytes)
    receiving = await began(shelf, 0)
    with pytest.raises(TooLargeError):
        await receiving.write(CONTENT + b"!")
    with pytest.raises(ConflictError, match="Somebody else"):
        await began(shelf, 0)
    await receiving.close()
    with pytest.raises(InvalidInputError, match="begun with"):
        await began(shelf, 0, size_bytes=len(CONTENT) + 1)


async def test_a_full_disk_is_said_and_costs_nothing_that_was_kept(
    shelf: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await began(shelf, 0)
    await first.write(CONTENT[:3_000])
    await first.close()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    second = await began(shelf, 3_000)
    await second.write(CONTENT[3_000:])
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="disk is full"):
            await second.close()
    assert (await shelf.artifact("acme", SHA)).received_bytes == 3_000
    third = await began(shelf, 3_000)
    await third.write(CONTENT[3_000:])
    assert (await third.close()).complete
