"""The home of a household as a document: its appliances, scenes and stations (docs/home.md)."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from entendre.core.errors import InvalidInputError, NotFoundError
from entendre.fleet.access import Permission
from entendre.home.stored import MAX_STORED_BYTES, stored_document
from entendre.ports.homes import StoredHome
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.patches import given
from entendre.web.api.services import needed

MAX_ENTRIES = 2_000
"""Most entries of a section; the size of the whole allows fewer."""
MAX_MESSAGE_CHARS = 500
Section = Annotated[list[dict[str, Any]], Meta(max_length=MAX_ENTRIES)]
Word = Annotated[str, Meta(min_length=1, max_length=120)]


class HomeDocument(Struct, forbid_unknown_fields=True):
    """A home as in docs/home.md. Appliances and scenes may stand in rooms that were named one by one, too."""

    temperature_unit: Annotated[str, Meta(pattern="^[CF]$")] | UnsetType = UNSET
    time_zone: Word | UnsetType = UNSET
    place: Word | UnsetType = UNSET
    floors: Section | UnsetType = UNSET
    rooms: Section | UnsetType = UNSET
    appliances: Section | UnsetType = UNSET
    scenes: Section | UnsetType = UNSET
    lists: Section | UnsetType = UNSET
    media: Section | UnsetType = UNSET


class KeptHome(Struct):
    """A home document as it is kept; null without one. `version` rises with every change."""

    document: dict[str, Any] | None
    version: int


async def _get(call: Call) -> Reply:
    return _reply(await _home(call))


async def _put(call: Call) -> Reply:
    before = await _home(call)
    try:
        document = await asyncio.to_thread(stored_document, given(call.body), before.rooms)
    except InvalidInputError as error:  # its message repeats what was sent
        raise InvalidInputError(error.public_message[:MAX_MESSAGE_CHARS]) from error
    return _reply(await _kept(call, document))


async def _remove(call: Call) -> Reply:
    await _kept(call, None)
    return Reply()


async def _home(call: Call) -> StoredHome:
    found = await needed(call.services.homes).home(call.path["household"])
    if found is None:
        raise NotFoundError("There is no such household.")
    return found


async def _kept(call: Call, document: str | None) -> StoredHome:
    homes, who = needed(call.services.homes), call.principal
    return await homes.put_document(call.path["household"], document, by=who.actor, version=version_of(call.if_match))


def _reply(stored: StoredHome) -> Reply:
    document = None if stored.document is None else json.loads(stored.document)
    return Reply(KeptHome(document, stored.version), etag=str(stored.version))


_P = Permission
_PATH = "/households/{household}/home"
OPERATIONS = (
    Operation(
        *("GET", _PATH, "get_home", "The home of a household.", "households", _P.HOUSEHOLD_READ, _get),
        reply=KeptHome,
        etag=True,
    ),
    Operation(
        *("PUT", _PATH, "put_home", "Say what is in a home.", "households", _P.HOUSEHOLD_WRITE, _put),
        body=HomeDocument,
        reply=KeptHome,
        etag=True,
        max_body_bytes=2 * MAX_STORED_BYTES,
    ),
    Operation(
        *("DELETE", _PATH, "remove_home", "Forget what is in a home.", "households", _P.HOUSEHOLD_WRITE, _remove),
        etag=True,
    ),
)
