"""The real clock and real randomness: the only place that asks the operating system for either."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
from pathlib import Path

from entendre.core.ids import ENTROPY_BYTES, uuid7


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    def wall(self) -> float:
        """Unix seconds, UTC."""
        return time.time()


_MS_NS = 1_000_000
_FRACTION = 4_096
"""Parts of a millisecond that go into an id. Source: RFC 9562, section 6.2, method 3."""


def new_id() -> str:
    """A fresh UUIDv7; those that one process makes one after the other are in order, also within a millisecond."""
    unix_ms, rest_ns = divmod(time.time_ns(), _MS_NS)
    fraction = rest_ns * _FRACTION // _MS_NS
    return uuid7(unix_ms, fraction.to_bytes(2, "big") + os.urandom(ENTROPY_BYTES - 2))


def machine_zone() -> str:
    """The IANA name of this machine's zone; UTC if it can't be told."""
    with contextlib.suppress(OSError, ValueError):
        return Path("/etc/localtime").resolve().relative_to("/usr/share/zoneinfo").as_posix()
    return "UTC"


_M_ARENA_MAX = -8
_ARENAS = 2
"""glibc gives every thread an arena of its own, and inference of many lengths leaves holes in each: 70 MB here."""


def limit_arenas() -> None:
    """Let all threads share two malloc arenas. Only glibc has any; elsewhere nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        _glibc().mallopt(_M_ARENA_MAX, _ARENAS)


def return_free_memory() -> None:
    """Give freed memory back to the system, about 100 MB after a busy hour. Takes milliseconds, without the GIL."""
    with contextlib.suppress(OSError, AttributeError):
        _glibc().malloc_trim(0)


def _glibc() -> ctypes.CDLL:
    """Raises: OSError, AttributeError where there is no glibc."""
    if not sys.platform.startswith("linux"):
        raise OSError("no glibc")
    return ctypes.CDLL("libc.so.6")
