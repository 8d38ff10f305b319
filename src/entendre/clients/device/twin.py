"""The device's copy of its twin. It converges whatever is lost, repeated or overtaken: versions decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["changed", "known", "read_again"]


@dataclass(slots=True)
class DesiredCopy:
    """What the device should be. First subscribe, then read the whole, then take patches; a gap says to read again."""

    document: dict[str, Any] = field(default_factory=dict)
    version: int = -1

    def read(self, document: Mapping[str, Any], version: int) -> Outcome:
        """Take the whole document."""
        if version <= self.version:
            return "known"
        self.document, self.version = dict(document), version
        return "changed"

    def patched(self, patch: Mapping[str, Any], version: int) -> Outcome:
        """Take a change: only the one after what is known can be applied."""
        if version <= self.version:
            return "known"
        if version != self.version + 1:
            return "read_again"
        self.document, self.version = merged(self.document, patch), version
        return "changed"


def merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A document after a merge patch: null removes. Source: RFC 7396."""
    result = dict(document)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch that makes one document the other; empty if they are equal."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if name in before and old == value and type(old) is type(value):
            continue
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            inner = difference(old, value)
            if inner:
                patch[name] = inner
        else:
            patch[name] = value
    return patch
