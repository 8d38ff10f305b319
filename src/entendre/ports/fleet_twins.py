"""Twins: what a device should be and says that it is, with versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

TwinSection = Literal["tags", "desired", "reported"]


@dataclass(frozen=True, slots=True)
class TwinRecord:
    """A whole twin. `etag` changes with every change of any section."""

    device: str
    brand: str
    tags: dict[str, Any]
    desired: dict[str, Any]
    reported: dict[str, Any]
    tags_version: int
    desired_version: int
    reported_version: int
    etag: str
    changed_at_s: float


@dataclass(frozen=True, slots=True)
class TwinPatch:
    """A change of one section: a merge patch, or with `replace` the whole new document.

    `if_match`: the etag that the twin must have. `brand` and `device` are ids.
    """

    brand: str
    device: str
    section: TwinSection
    patch: dict[str, Any]
    replace: bool = False
    if_match: str | None = None


@dataclass(frozen=True, slots=True)
class TwinChange:
    """What came of a patch: the section as it is now, its version, and the twin's etag."""

    device: str
    section: TwinSection
    version: int
    etag: str
    document: dict[str, Any]


class Twins(Protocol):
    """The twins of one region. A change is durable when it is returned, and is in the change feed then."""

    async def get(self, brand: str, device: str) -> TwinRecord:
        """A whole twin. Raises: NotFoundError."""
        ...

    async def patch(self, patch: TwinPatch, *, by: str) -> TwinChange:
        """Change a section. Raises: NotFoundError, InvalidInputError, TooLargeError, StaleError, OverloadedError."""
        ...

    async def patch_many(self, patches: Sequence[TwinPatch], *, by: str) -> list[TwinChange | Exception]:
        """Change many sections in few transactions: a change, or what `patch` would raise, for each in order."""
        ...
