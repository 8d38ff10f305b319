"""What a request carries, decoded strictly: nothing unknown, nothing oversized, nothing that the database refuses."""

from __future__ import annotations

import asyncio
import math
import re
from typing import Any

import msgspec
from aiohttp import hdrs, web

from entendre.web.api.operation import JSON, Operation
from entendre.web.faults import Fault

MAX_DEPTH = 32
"""Deepest nesting of a JSON body."""
MAX_INT = (1 << 53) - 1
"""Largest integer: what every JSON reader keeps exactly."""
MAX_PATH_VALUE_CHARS = 256
MAX_IDEMPOTENCY_KEY_CHARS = 64
UPLOAD_S = 60.0
"""Longest time to receive a body."""

_AT = re.compile(r"^(.*?)(?: - at `\$(.*)`)?$", re.DOTALL)
_FIELD = re.compile(r"(?:unknown|required) field `(.*?)`")


def invalid(message: str, param: str | None = None) -> Fault:
    """An input that is refused."""
    return Fault(400, "invalid_input", message, param)


def path_of(request: web.Request) -> dict[str, str]:
    """The values in the path. Raises: Fault."""
    values = dict(request.match_info)
    for name, value in values.items():
        if not is_text(value):
            raise invalid("NUL and half surrogate pairs are refused.", name)
        if len(value) > MAX_PATH_VALUE_CHARS:
            raise Fault(404, "not_found", f"There is no such {name}.")
    return values


def query_of(request: web.Request, kind: type | None) -> Any:
    """The query as its type; None without one. Raises: Fault."""
    given = request.query
    for name in given:
        if len(given.getall(name)) > 1:
            raise invalid(f"{_shown(name)} is given more than once.", _shown(name))
        if not is_text(name) or not is_text(given[name]):
            raise invalid("NUL and half surrogate pairs are refused.", _shown(name))
    if kind is None:
        if given:
            name = _shown(next(iter(given)))
            raise invalid(f"There is no parameter {name}.", name)
        return None
    try:
        return msgspec.convert(dict(given), kind, strict=False)
    except msgspec.ValidationError as error:
        raise fault_of_validation(error) from None


async def body_of(request: web.Request, operation: Operation) -> tuple[Any, bytes]:
    """The body as its type, and as it came. Raises: Fault."""
    if operation.body is None and operation.accepts == JSON:
        if request.can_read_body:
            raise invalid("This takes no body.")
        return None, b""
    if not operation.takes_json:
        return None, b""
    data = await _read(request, operation.max_body_bytes) if request.body_exists else b""
    if not data and not operation.needs_body:
        return msgspec.convert({}, operation.body), data
    if request.content_type != operation.accepts:
        raise Fault(415, "unsupported_media_type", f"Send Content-Type: {operation.accepts}.")
    return _decoded(data, operation.body), data


def is_text(text: str) -> bool:
    """Whether every database keeps it: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def idempotency_key_of(request: web.Request) -> str | None:
    """The request's Idempotency-Key. Raises: Fault."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_IDEMPOTENCY_KEY_CHARS or not (key.isascii() and key.isprintable()):
        raise invalid(f"Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY_CHARS} printable ASCII characters.")
    return key


def if_match_of(request: web.Request) -> str | None:
    """The ETag of If-Match without its quotes; None for any. Raises: Fault."""
    given = request.headers.get(hdrs.IF_MATCH)
    if given is None or given.strip() == "*":
        return None
    found = re.fullmatch(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"', given.strip())
    if found is None:
        raise invalid('If-Match is one ETag in quotation marks, as in "3", or *.')
    return f"W/{found[2]}" if found[1] else found[2]  # a weak one is equal to none


def fault_of_validation(error: msgspec.ValidationError) -> Fault:
    """What msgspec found, with the path of the field."""
    found = _AT.match(str(error))
    message, at = (found[1], found[2] or "") if found is not None else (str(error), "")
    field = _FIELD.search(message)
    param = f"{at}.{field[1]}" if field is not None else at
    return invalid(f"{message}.", _shown(param.lstrip(".")) or None)


async def _read(request: web.Request, limit_bytes: int) -> bytes:
    data = bytearray()
    async with asyncio.timeout(UPLOAD_S):
        async for piece in request.content.iter_any():
            data += piece
            if len(data) > limit_bytes:
                raise Fault(413, "too_large", f"The body is larger than {limit_bytes} bytes.")
    return bytes(data)


def _decoded(data: bytes, kind: type | None) -> Any:
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise invalid("The body is not valid JSON.") from None
    check_document(document)
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise fault_of_validation(error) from None


def check_document(document: Any) -> None:
    """Refuse what is nested too deeply, numbers that not everybody keeps, and texts that no database takes.

    Raises: Fault.
    """
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for value in level:
            kind = type(value)
            if kind is str:
                if not is_text(value):
                    raise invalid("NUL and half surrogate pairs are refused.")
            elif kind is int:
                if not -MAX_INT <= value <= MAX_INT:
                    raise invalid(f"Integers are from -{MAX_INT} to {MAX_INT}.")
            elif kind is float:
                if not math.isfinite(value):
                    raise invalid("Numbers must be finite.")
            elif kind is dict:
                inner.extend(value)
                inner.extend(value.values())
            elif kind is list:
                inner.extend(value)
        if not inner:
            return
        level = inner
    raise invalid(f"The body is nested more than {MAX_DEPTH} deep.")


def _shown(name: str) -> str:
    return name.encode("ascii", "replace").decode().replace("\0", "?")[:100]
