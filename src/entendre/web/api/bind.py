"""The operations as routes of the web application."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from entendre.web.api.dispatch import handler_of
from entendre.web.api.operation import Operation
from entendre.web.api.services import API, ApiServices

ROOT = "/api/v1"


def bind(app: web.Application, services: ApiServices, operations: Iterable[Operation]) -> None:
    """Add the operations below `/api/v1`. GET answers HEAD too, and OPTIONS says what a path allows."""
    app[API] = services
    app.on_shutdown.append(_end_endless)
    by_path: dict[str, list[Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, []).append(operation)
    for path in sorted(by_path, key=_fixed_first):
        resource = app.router.add_resource(ROOT + path)
        methods = []
        for operation in by_path[path]:
            handler = handler_of(operation)
            resource.add_route(operation.method, handler)
            methods.append(operation.method)
            if operation.method == hdrs.METH_GET:
                resource.add_route(hdrs.METH_HEAD, handler)
                methods.append(hdrs.METH_HEAD)
        resource.add_route(hdrs.METH_OPTIONS, _options([*methods, hdrs.METH_OPTIONS]))


async def _end_endless(app: web.Application) -> None:
    endless = tuple(app[API].endless)
    for task in endless:
        task.cancel()
    await asyncio.gather(*endless, return_exceptions=True)


def is_api(path: str) -> bool:
    """Whether a path belongs to the API, which lets its callers in itself."""
    return path.startswith(f"{ROOT}/")


def _fixed_first(path: str) -> tuple[tuple[bool, str], ...]:
    """Fixed parts of a path before placeholders, so that `/devices/query` is not a device."""
    return tuple((part.startswith("{"), part) for part in path.split("/"))


def _options(methods: list[str]) -> Handler:
    allowed = ", ".join(methods)

    async def options(request: web.Request) -> web.StreamResponse:
        return web.Response(status=204, headers={hdrs.ALLOW: allowed})

    return options
