"""The home of a household that the database keeps: its document, and the rooms that its members named."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from entendre.core.errors import InvalidInputError, TooLargeError
from entendre.core.home import HomeSnapshot, Room
from entendre.home.document import load_home, room_document
from entendre.markets.market import market_of
from entendre.ports.homes import StoredHome

log = logging.getLogger(__name__)

MAX_STORED_BYTES = 128 * 1024
"""Largest document of a household in the database: some 400 appliances, compiled at its first sentence."""


def stored_document(document: Mapping[str, Any], rooms: Iterable[Room] = ()) -> str:
    """A home document as it is kept, checked: its appliances may stand in `rooms` too.

    Raises: InvalidInputError that names the place in the document and what to do, TooLargeError.
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode("utf-8", "surrogatepass")) > MAX_STORED_BYTES:
        raise TooLargeError(f"A home document has at most {MAX_STORED_BYTES} bytes.")
    _home_of(document, rooms)
    return text


def home_of(stored: StoredHome, time_zone: str) -> HomeSnapshot:
    """The home of a household; of rooms alone where its document no longer holds. `time_zone`: without its own.

    A home without a document has the temperature unit of its country; a document says its own.
    """
    market = market_of(stored.country)
    unit = market.units.temperature if market is not None else "C"
    home = HomeSnapshot(rooms=stored.rooms, time_zone=time_zone, temperature_unit=unit)
    if stored.document is not None:
        try:
            document = json.loads(stored.document)
            home = _home_of({"time_zone": time_zone, **document}, stored.rooms)
        except (InvalidInputError, ValueError) as error:
            code = error.code if isinstance(error, InvalidInputError) else InvalidInputError.code
            log.warning("a home document is left out", extra={"household": stored.household, "code": code})
    return replace(home, time_zone=stored.time_zone or home.time_zone, country=stored.country)


def _home_of(document: Mapping[str, Any], rooms: Iterable[Room]) -> HomeSnapshot:
    named = document.get("rooms", [])
    if not isinstance(named, list):
        return load_home(document)
    known = {each.get("id") for each in named if isinstance(each, Mapping)}
    return load_home({**document, "rooms": [*named, *(room_document(each) for each in rooms if each.id not in known)]})
