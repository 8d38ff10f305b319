"""ETags of rows: their versions."""

from __future__ import annotations

from entendre.core.errors import StaleError


def version_of(if_match: str | None) -> int | None:
    """The version that a caller changes; None for any. Raises: StaleError for an ETag that is no version of ours."""
    if if_match is None:
        return None
    if not if_match.isdecimal() or not if_match.isascii() or len(if_match) > 15:
        raise StaleError("It was changed meanwhile. Read it again, then change it.")
    return int(if_match)
