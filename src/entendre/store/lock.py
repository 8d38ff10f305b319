"""One server for each data folder: two would each ring, remember and cache without the other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from entendre.core.errors import ConfigurationError

LOCK_FILE = "server.lock"


@contextmanager
def sole_server(folder: Path) -> Iterator[None]:
    """Hold the folder while this runs; the system lets go of it when the process dies. Commands may use it meanwhile.

    Raises: ConfigurationError when another server holds it, OSError.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        yield
        return
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"Another server uses the data folder {folder}. Stop it, or choose another folder with --data-dir."
            ) from None
        yield
    finally:
        os.close(descriptor)
