"""What a person calls a thing: its name, its whole id, or as much of the id's end or beginning as only it has."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from entendre.core.errors import InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

MAX_LOOKED_AT = 20_000
SHOWN = 5
HOME = "home"
"""The id of the brand and of the household that every server has; it is meant where there is no other."""
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_PART = re.compile(r"[0-9a-f-]{4,35}")


def is_id(word: str) -> bool:
    """Whether this is a whole id."""
    return _ID.fullmatch(word) is not None


def is_part(word: str) -> bool:
    """Whether this may be a part of an id."""
    return _PART.fullmatch(word) is not None and not is_id(word)


async def id_of(
    word: str, what: str, records: AsyncIterator[Any], names: Callable[[Any], tuple[str, ...]] = lambda _: ()
) -> str:
    """The id of the one that goes by a word. Raises: NotFoundError, InvalidInputError when it means several."""
    if is_id(word):
        return word
    parts: list[str] = []
    known: list[str] = []
    count = 0
    async for record in records:
        count += 1
        if record.id == word or word in names(record):
            return str(record.id)
        if is_part(word) and (record.id.endswith(word) or record.id.startswith(word)):
            parts.append(str(record.id))
        known += names(record)[:1] if len(known) < SHOWN else []
        if count >= MAX_LOOKED_AT:
            raise InvalidInputError(f"There are more than {MAX_LOOKED_AT} of them: give the whole id.")
    if len(parts) > 1:
        raise InvalidInputError(f"{word} means {len(parts)} of them: {', '.join(parts[:SHOWN])}. Give more of the id.")
    if parts:
        return parts[0]
    others = f" There are: {', '.join(known)}{' …' if count > len(known) else ''}." if known else ""
    raise NotFoundError(f"There is no {what} {word}.{others}")


async def direct_or_part(
    word: str, what: str, ask: Callable[[str], Awaitable[Any]], records: Callable[[], AsyncIterator[Any]]
) -> str:
    """As `id_of`, where the server finds whole ids and names and there may be very many. Raises: NotFoundError."""
    from entendre.clients.api import ApiNotFoundError

    try:
        return str((await ask(word)).id)
    except ApiNotFoundError:
        if not is_part(word):
            raise
        return await id_of(word, what, records())


async def brand_of(client: Entendre, args: argparse.Namespace) -> str:
    """The brand that a command is about: `--brand`, ENTENDRE_BRAND, or the only one. Raises: InvalidInputError."""
    from entendre.clients.api import ApiForbiddenError

    word = args.brand or os.environ.get("ENTENDRE_BRAND")
    if word:
        return (
            str(await id_of(word, "brand", client.brands.list(), lambda each: (each.name,))) if is_part(word) else word
        )
    try:
        brands = [each async for each in client.brands.list() if each.id != HOME]
    except ApiForbiddenError:
        raise InvalidInputError("Name the brand with --brand or ENTENDRE_BRAND.") from None
    if len(brands) == 1:
        return str(brands[0].id)
    if not brands:
        return HOME
    names = ", ".join(each.name for each in brands[:SHOWN])
    raise InvalidInputError(f"There are several brands ({names}): name one with --brand or ENTENDRE_BRAND.")


async def households(client: Entendre, brand: str | None = None) -> AsyncIterator[Any]:
    """The households of who asks: a person's own; all of a brand, or of every brand, to whoever runs the server."""
    from entendre.clients.api import ApiForbiddenError

    if brand is None:
        try:
            async for each in client.households.my():
                yield each
            return
        except ApiForbiddenError:
            pass
    brands = [brand] if brand is not None else [each.id async for each in client.brands.list()]
    for name in brands:
        async for each in client.households.list(name):
            yield each


async def household_of(client: Entendre, args: argparse.Namespace) -> str:
    """The household of a command: as it is named, ENTENDRE_HOUSEHOLD, or the only one. Raises: InvalidInputError."""
    word = args.household or os.environ.get("ENTENDRE_HOUSEHOLD")
    if word:
        return await id_of(word, "household", households(client), lambda each: (each.name,))
    known, home = [], False
    async for each in households(client):
        if each.id == HOME:
            home = True
        else:
            known.append(each)
        if len(known) > SHOWN:
            break
    if len(known) == 1:
        return str(known[0].id)
    if not known and home:
        return HOME
    if not known:
        raise InvalidInputError("There is no household yet: entendre household create NAME")
    names = ", ".join(each.name for each in known[:SHOWN])
    raise InvalidInputError(f"There are several households ({names}): name one.")


async def device_of(client: Entendre, brand: str, word: str) -> str:
    """The id of a device, by id, serial number or a part of the id. Raises: NotFoundError, InvalidInputError."""
    if is_id(word):
        return word

    async def ask(named: str) -> Any:
        return await client.devices.get(brand, named)

    return await direct_or_part(word, "device", ask, lambda: client.devices.list(brand))
