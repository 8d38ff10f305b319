"""An operation of the API: what it takes, who may do it, and what it answers. Everything else is made of these."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from entendre.fleet.access import Permission
from entendre.web.api.call import Call, Reply

MAX_BODY_BYTES = 256 * 1024
"""Largest body of an operation that does not say otherwise."""
JSON = "application/json"

Handler = Callable[[Call], Awaitable[Reply | web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path below `/api/v1`.

    `body`, `query`: msgspec Structs that forbid unknown fields, or a body that is any object (`dict[str, Any]`);
    `reply`: the type of the answer, None for an empty one (status 204). `errors`: codes beyond those that every
    operation of its kind may answer. An `idempotent` one accepts an Idempotency-Key and must not answer secrets,
    because answers are kept. With `etag` GET answers an ETag, and the others honour If-Match. A body of another type
    than JSON is left unread to the handler (`accepts`); an answer of another type is the handler's own response
    (`produces`). `error_body`: of 400 and 401, where a standard has its own.
    """

    method: str
    path: str
    name: str
    summary: str
    tag: str
    permission: Permission | None
    handler: Handler
    body: Any = None
    query: type | None = None
    reply: object | None = None
    status: int = 200
    errors: tuple[str, ...] = ()
    idempotent: bool = False
    etag: bool = False
    max_body_bytes: int = MAX_BODY_BYTES
    accepts: str = JSON
    produces: str = JSON
    error_body: type | None = None

    @property
    def success(self) -> int:
        """The status of a success."""
        return 204 if self.reply is None and self.produces == JSON and self.status == 200 else self.status

    @property
    def needs_body(self) -> bool:
        """Whether a request without a body is refused."""
        if self.body is None or not isinstance(self.body, type) or not issubclass(self.body, msgspec.Struct):
            return True
        return any(field.required for field in msgspec.structs.fields(self.body))

    @property
    def takes_json(self) -> bool:
        """Whether the body is decoded before the handler sees the call. A merge patch is JSON too."""
        return self.body is not None and self.accepts.endswith("json")
