"""Lists in pages: `{"data": […], "next": cursor}`. A cursor is the last key of a page, which only we read."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from msgspec import Meta, Struct

from entendre.web.faults import Fault

T = TypeVar("T")
Row = TypeVar("Row")

MAX_LIMIT = 200
DEFAULT_LIMIT = 50
MAX_CURSOR_CHARS = 512


class Page(Struct, Generic[T]):
    """A page of a list; `next` is the cursor of the page after it, null at the end."""

    data: tuple[T, ...]
    next: str | None = None


class PageQuery(Struct, forbid_unknown_fields=True):
    """Which page: how many entries, and after which cursor. Lists with filters add them."""

    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    after: Annotated[str, Meta(max_length=MAX_CURSOR_CHARS)] | None = None


def cursor_of(*key: str | int | float) -> str:
    """The cursor of a row's key."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def after_of(cursor: str | None, *types: type) -> tuple[Any, ...] | None:
    """The key in a cursor, one value for each of `types`; None without a cursor. Raises: Fault."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        key = None
    if not isinstance(key, list) or [type(each) for each in key] != list(types) or not _plain(key):
        raise Fault(400, "invalid_input", "after is a cursor that a page before answered as `next`.", "after")
    return tuple(key)


def page_of(
    rows: Sequence[Row], limit: int, shown: Callable[[Row], T], key: Callable[[Row], str | int | tuple[Any, ...]]
) -> Page[T]:
    """A page of rows, of which one more than `limit` was asked for, so that the end is known."""
    kept = rows[:limit]
    last = key(kept[-1]) if kept and len(rows) > limit else None
    following = None if last is None else cursor_of(*(last if isinstance(last, tuple) else (last,)))
    return Page(tuple(shown(each) for each in kept), following)


def _plain(key: list[Any]) -> bool:
    texts = [each for each in key if isinstance(each, str)]
    numbers = [each for each in key if isinstance(each, int)]
    return all(each.isprintable() for each in texts) and all(abs(each) < 1 << 53 for each in numbers)
