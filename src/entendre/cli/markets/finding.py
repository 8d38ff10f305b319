"""What a market or a language lacks: one line that says where to look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from entendre.core.errors import EntendreError
from entendre.markets.loader import read_yaml

MISSING = "missing"
NOTE = "note"
"""Worth knowing, and nothing that files alone mend: a voice that is only a floor, ears that hear a language badly."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`about`: a market's code or a language. `place`: the file, below the package."""

    about: str
    severity: str
    place: str
    text: str


Check = Callable[[str], Iterable[Finding]]


def package() -> Traversable:
    """The folder that all data is in."""
    return files("entendre")


def guarded(check: Check, about: str, place: str = "") -> Iterator[Finding]:
    """The findings of a check. Files are half written while a language is: whatever they make fail is a finding too."""
    try:
        yield from check(about)
    except Exception as error:
        detail = error.detail or error.public_message if isinstance(error, EntendreError) else str(error)
        where = place or check.__name__.replace("_", " ")
        yield Finding(about, MISSING, where, f"can't be read: {type(error).__name__}: {detail}"[:400])


def document(place: str) -> dict[str, Any]:
    """A YAML file below the package; empty if it is not there."""
    file = package() / place
    return read_yaml(file) if file.is_file() else {}
