"""The notebook, and the history of conversations."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from entendre.core.errors import ForbiddenError
from entendre.fleet.access import Permission
from entendre.ports.households import Note, TurnRecord
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, page_of
from entendre.web.api.patches import after, person_of
from entendre.web.api.services import needed

Text = Annotated[str, Meta(min_length=1, max_length=4_000)]


class NewNote(Struct, forbid_unknown_fields=True):
    """A note; a `private` one is its writer's alone."""

    text: Text
    private: bool = False


class NotePatch(Struct, forbid_unknown_fields=True):
    """Another text."""

    text: Text


class Forgotten(Struct):
    """How many turns went."""

    turns: int


async def _list(call: Call) -> Reply:
    notes, account = needed(call.services.notes), person_of(call.principal)
    rows = await notes.page(call.path["household"], account, after(call), call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _create(call: Call) -> Reply:
    body, account = call.body, person_of(call.principal)
    if body.private and account is None:
        raise ForbiddenError("Only a person has private notes.")
    notes = needed(call.services.notes)
    made = await notes.create(
        call.path["household"], body.text, account=account if body.private else None, by=call.principal.actor
    )
    return Reply(made, etag=str(made.version))


async def _get(call: Call) -> Reply:
    notes = needed(call.services.notes)
    found = await notes.get(call.path["household"], call.path["note"], person_of(call.principal))
    return Reply(found, etag=str(found.version))


async def _change(call: Call) -> Reply:
    changed = await needed(call.services.notes).change(
        call.path["household"],
        call.path["note"],
        call.body.text,
        account=person_of(call.principal),
        expected=version_of(call.if_match),
        by=call.principal.actor,
    )
    return Reply(changed, etag=str(changed.version))


async def _remove(call: Call) -> Reply:
    await needed(call.services.notes).remove(
        call.path["household"], call.path["note"], account=person_of(call.principal), by=call.principal.actor
    )
    return Reply()


async def _history(call: Call) -> Reply:
    history, account = needed(call.services.history), person_of(call.principal)
    rows = await history.page(call.path["household"], account, after(call), call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _forget(call: Call) -> Reply:
    gone = await needed(call.services.history).forget(call.path["household"], by=call.principal.actor)
    return Reply(Forgotten(gone))


_P = Permission
_ALL = "/households/{household}/notes"
_ONE = f"{_ALL}/{{note}}"
_HISTORY = "/households/{household}/history"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_notes", "Notes: the household's and the caller's own.", "notes", _P.HOUSEHOLD_READ, _list),
        query=PageQuery,
        reply=Page[Note],
    ),
    Operation(
        *("POST", _ALL, "create_note", "Write a note.", "notes", _P.HOUSEHOLD_WRITE, _create),
        body=NewNote,
        reply=Note,
        status=201,
        idempotent=True,
    ),
    Operation(*("GET", _ONE, "get_note", "A note.", "notes", _P.HOUSEHOLD_READ, _get), reply=Note, etag=True),
    Operation(
        *("PATCH", _ONE, "change_note", "Change a note.", "notes", _P.HOUSEHOLD_WRITE, _change),
        body=NotePatch,
        reply=Note,
        etag=True,
    ),
    Operation(*("DELETE", _ONE, "remove_note", "Remove a note.", "notes", _P.HOUSEHOLD_WRITE, _remove)),
    Operation(
        "GET",
        _HISTORY,
        "list_history",
        "What was said and answered, newest first; empty unless the household keeps it.",
        "notes",
        _P.HOUSEHOLD_READ,
        _history,
        query=PageQuery,
        reply=Page[TurnRecord],
    ),
    Operation(
        *("DELETE", _HISTORY, "forget_history", "Delete the history.", "notes", _P.HOUSEHOLD_WRITE, _forget),
        reply=Forgotten,
    ),
)
