"""Stretches of content that HTTP asks for or sends: Range and Content-Range. Source: RFC 9110, 14.1 to 14.4."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEADER_CHARS = 128
_ONE = re.compile(r"bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})")
_CONTENT = re.compile(r"bytes\s+([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` until before `end`."""

    start: int
    end: int


UNSATISFIABLE = Stretch(0, 0)


def stretch_of(header: str | None, size_bytes: int) -> Stretch | None:
    """The one stretch that Range asks for; None for all of it, UNSATISFIABLE for what is not there.

    What cannot be read, or asks for several, is ignored, as the standard lets a server do.
    """
    found = _ONE.fullmatch(header.strip().lower()) if header and len(header) <= MAX_HEADER_CHARS else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        last = int(found[2])
        return Stretch(max(0, size_bytes - last), size_bytes) if last else UNSATISFIABLE
    start, end = int(found[1]), int(found[2]) + 1 if found[2] else size_bytes
    if end <= start and found[2]:
        return None
    return Stretch(start, min(end, size_bytes)) if start < size_bytes else UNSATISFIABLE


def sent_stretch(header: str) -> tuple[Stretch, int] | None:
    """What Content-Range says is sent, and the size of the whole; None for what cannot be read."""
    found = _CONTENT.fullmatch(header.strip().lower()) if len(header) <= MAX_HEADER_CHARS else None
    if found is None:
        return None
    start, end, size_bytes = int(found[1]), int(found[2]) + 1, int(found[3])
    return (Stretch(start, end), size_bytes) if start < end <= size_bytes else None
