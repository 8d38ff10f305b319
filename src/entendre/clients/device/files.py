"""Small files that must survive a power cut and be read by nobody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import msgspec

from entendre.core.errors import InvalidInputError

T = TypeVar("T")
PRIVATE = 0o600
MAX_FILE_BYTES = 1024 * 1024


def write_private(file: Path, document: object) -> None:
    """Write JSON that only this user may read: the whole new file, or the old one if the power fails."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    waiting = file.with_name(f"{file.name}.{os.getpid()}.new")
    descriptor = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with os.fdopen(descriptor, "wb") as opened:
        os.fchmod(opened.fileno(), PRIVATE)
        opened.write(msgspec.json.format(msgspec.json.encode(document), indent=1))
        opened.flush()
        os.fsync(opened.fileno())
    waiting.replace(file)


def read_private(file: Path, kind: type[T]) -> T | None:
    """Read it; None if there is none. Raises: InvalidInputError for one that others may read or that is damaged."""
    try:
        with file.open("rb") as opened:
            if os.name == "posix" and os.fstat(opened.fileno()).st_mode & 0o077:
                raise InvalidInputError(f"Others may read {file}; it holds secrets: chmod 600 {file}")
            data = opened.read(MAX_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInputError(f"{file} can't be read: {error.strerror}.") from error
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{file} is damaged; remove it to start anew.", detail=str(error)) from error
