"""Form-encoded bodies and queries, as OAuth wants them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from urllib.parse import parse_qsl

from aiohttp import web

from entendre.core.errors import InvalidInputError
from entendre.web.api.decoding import is_text
from entendre.web.faults import Fault

FORM = "application/x-www-form-urlencoded"
MAX_BYTES = 16 * 1024
MAX_FIELDS = 32
READ_S = 20.0


async def form_of(request: web.Request) -> dict[str, str]:
    """The fields of a body. Raises: InvalidInputError, Fault 413."""
    if request.content_type != FORM:
        raise InvalidInputError(f"Send Content-Type: {FORM}.")
    data = bytearray()
    async with asyncio.timeout(READ_S):
        async for piece in request.content.iter_any():
            data += piece
            if len(data) > MAX_BYTES:
                raise Fault(413, "too_large", f"The body is larger than {MAX_BYTES} bytes.")
    try:
        pairs = parse_qsl(
            data.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding="utf-8", errors="strict"
        )
    except ValueError:
        raise InvalidInputError("The form can't be read.") from None
    return once(pairs)


def once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Fields that are each given once. Raises: InvalidInputError."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInputError(f"{name[:40]} is given more than once.")
        if not is_text(name) or not is_text(value):
            raise InvalidInputError("NUL and half surrogate pairs are refused.")
        found[name] = value
    return found
