"""One call of an operation, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from entendre.fleet.access import Principal
from entendre.web.api.services import ApiServices


@dataclass(slots=True)
class Call:
    """A request whose caller is known and permitted, and whose input is decoded.

    `path["brand"]` and `path["household"]` are ids: names were resolved, foreign and unknown ones answered with 404.
    `if_match`: the ETag that the caller changes, without quotes; None for any. `address`: the caller's IP address.
    """

    request: web.Request
    principal: Principal
    services: ApiServices
    path: Mapping[str, str]
    body: Any = None
    query: Any = None
    if_match: str | None = None
    idempotency_key: str | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What an operation answers: a body that msgspec encodes, and an ETag without quotes."""

    body: object = None
    etag: str | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
