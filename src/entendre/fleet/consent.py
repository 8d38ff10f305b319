"""Consent: what needs it, who may give it for whom, and what holds now.

The ledger is only added to; the newest entry of a subject and a purpose holds. Without an entry nothing is agreed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from entendre.core.consent import Entry, Purpose
from entendre.core.errors import ForbiddenError, InvalidInputError
from entendre.core.roles import Place
from entendre.fleet.households import GROWN_UP

MAX_ENTRIES = 2_000
"""Entries of one household or person."""
_WORDING = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")


NOT_OF_CHILDREN = frozenset({Purpose.MARKETING, Purpose.PERSONAL_TELEMETRY})
"""Nobody can agree to these for a child."""
OF_HOUSEHOLD = frozenset({Purpose.HISTORY, Purpose.PERSONAL_TELEMETRY})
"""What concerns all who are in the room: its adults agree for the household. To the rest each agrees for themselves."""


def current(entries: Iterable[Entry]) -> dict[Purpose, Entry]:
    """What holds of one subject now; `entries` in the order in which they were written."""
    return {each.purpose: each for each in entries}


def holds(entries: Iterable[Entry], purpose: Purpose) -> bool:
    """Whether a purpose is agreed now."""
    found = current(entries).get(purpose)
    return found is not None and found.given


def purpose_of(name: str) -> Purpose:
    """Raises: InvalidInputError."""
    try:
        return Purpose(name)
    except ValueError:
        raise InvalidInputError(f"A purpose is one of {', '.join(Purpose)}.") from None


def check_for_household(place: Place | None, purpose: Purpose, *, given: bool, never: frozenset[Purpose]) -> None:
    """Whether a member may write such a line for the household. `place` None: whoever runs the server.

    Raises: ForbiddenError, InvalidInputError.
    """
    if purpose not in OF_HOUSEHOLD:
        raise InvalidInputError(f"Each person agrees to {purpose} for themselves.")
    if not given:
        return
    _check_possible(purpose, never)
    if place not in GROWN_UP:
        raise ForbiddenError("Only an adult of the household can agree for it.")


def check_for_self(places: Iterable[Place], purpose: Purpose, *, given: bool, never: frozenset[Purpose]) -> None:
    """Whether a person may agree for themselves; `places`: what they are in households. Raises: ForbiddenError."""
    if not given:
        return
    _check_possible(purpose, never)
    if "child" in set(places):
        raise ForbiddenError("A guardian agrees for a child.")


def check_for_child(place: Place | None, purpose: Purpose, *, given: bool, never: frozenset[Purpose]) -> None:
    """Whether somebody may write a line for a child of the household. Raises: ForbiddenError."""
    if not given:
        return
    _check_possible(purpose, never)
    if place not in GROWN_UP:
        raise ForbiddenError("A guardian agrees for a child.")
    if purpose in NOT_OF_CHILDREN:
        raise ForbiddenError(f"Nobody can agree to {purpose} for a child.")


def check_line(wording: str, language: str, channel: str) -> None:
    """Raises: InvalidInputError."""
    if not _WORDING.fullmatch(wording):
        raise InvalidInputError("A wording is named by its version: letters, digits, `.`, `_`, `-`, at most 64.")
    if not _LANGUAGE.fullmatch(language):
        raise InvalidInputError("A language is a tag, as in `en-IN`.")
    if not _WORDING.fullmatch(channel):
        raise InvalidInputError("A channel is a short name, as in `app`, `voice` or `web`.")


def _check_possible(purpose: Purpose, never: frozenset[Purpose]) -> None:
    if purpose in never:
        raise ForbiddenError(f"{purpose} is not done in this country.")
