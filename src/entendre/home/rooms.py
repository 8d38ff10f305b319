"""The room that a person means when they name one in a command or a form."""

from __future__ import annotations

from collections.abc import Sequence

from entendre.core.errors import InvalidInputError
from entendre.core.home import Room, all_names


def room_named(rooms: Sequence[Room], text: str) -> str:
    """The id of the room with this id or name, in any language. Raises: InvalidInputError, which lists the rooms."""
    wanted = " ".join(text.split()).casefold()
    by_id = [room.id for room in rooms if room.id.casefold() == wanted]
    found = by_id or [room.id for room in rooms if wanted in {name.casefold() for name in all_names(room.names)}]
    if len(found) == 1:
        return found[0]
    known = ", ".join(room.id for room in rooms) or "none"
    what = "Several rooms have this name" if found else "The home has no such room"
    raise InvalidInputError(f"{what}. Its rooms are: {known}.")
