"""Conditional writes: a row is changed only if it has the version that whoever changes it has read."""

from __future__ import annotations

from entendre.core.errors import StaleError


def require_version(found: int, wanted: int | None) -> None:
    """Let pass a change of the version that was read, and one that names none. Raises: StaleError."""
    if wanted is not None and found != wanted:
        raise StaleError("It was changed meanwhile. Read it again, then change it.")
