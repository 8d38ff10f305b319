"""`GET /openapi.json`: the API in OpenAPI 3.1, open to everybody."""

from __future__ import annotations

from functools import cache
from typing import Any

from aiohttp import web

from entendre.web.api.call import Call
from entendre.web.api.openapi import described
from entendre.web.api.operation import Operation


async def _description(call: Call) -> web.Response:
    return web.Response(body=_document(), content_type="application/json")


@cache
def _document() -> bytes:
    from entendre.web.api.routes import OPERATIONS as EVERY_OPERATION

    return described(EVERY_OPERATION)


OPERATIONS = (
    Operation(
        method="GET",
        path="/openapi.json",
        name="get_openapi",
        summary="This API in OpenAPI 3.1.",
        tag="description",
        permission=None,
        handler=_description,
        reply=dict[str, Any],
    ),
)
