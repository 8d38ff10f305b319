"""The web application: every route, behind the guard."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from entendre.web import devices
from entendre.web.announcements import announce
from entendre.web.answers import ask, healthz, models, readyz
from entendre.web.api.bind import bind
from entendre.web.api.routes import OPERATIONS
from entendre.web.api.sign_in import bind_pages
from entendre.web.discretion import be_discreet
from entendre.web.faults import Fault, faults
from entendre.web.guard import guard
from entendre.web.media import control_media
from entendre.web.pages import Pages
from entendre.web.services import SERVICES, WebServices
from entendre.web.speech import speak
from entendre.web.transcriptions import transcribe

MAX_HEADER_BYTES = 8_190
MAX_LINE_BYTES = 32_768
"""Longest request line: a query of 2,000 characters, each percent-encoded to twelve, and a cursor fit."""
SHUTDOWN_S = 3.0
"""How long requests under way may take once the server stops."""


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the API. Documented in docs/http.md."""

    method: str
    path: str
    handler: Handler


def routes(pages: Pages) -> tuple[Route, ...]:
    """Every route there is."""
    return (
        Route("GET", "/", pages.talk),
        Route("GET", "/static/settings", pages.settings),
        Route("GET", "/static/{name}", pages.static),
        Route("GET", "/healthz", healthz),
        Route("GET", "/readyz", readyz),
        Route("GET", "/v1/models", models),
        Route("GET", "/v1/realtime", _realtime),
        Route("POST", "/v1/audio/transcriptions", transcribe),
        Route("POST", "/v1/audio/speech", speak),
        Route("POST", "/v1/ask", ask),
        Route("POST", "/v1/announcements", announce),
        Route("POST", "/v1/media", control_media),
        Route("GET", "/v1/devices", devices.listed),
        Route("POST", "/v1/devices", devices.bind),
        Route("PATCH", "/v1/devices/{id}", devices.change),
        Route("DELETE", "/v1/devices/{id}", devices.forget),
    )


async def _realtime(request: web.Request) -> web.StreamResponse:
    realtime = request.app[SERVICES].realtime
    if realtime is None:
        raise Fault(503, "not_ready", "The realtime gateway is not running.")
    if not web.WebSocketResponse().can_prepare(request).ok:
        raise Fault(426, "upgrade_required", "Connect with a WebSocket.", headers={"Upgrade": "websocket"})
    return await realtime.handle(request)


def build_app(services: WebServices) -> web.Application:
    """The application over these services."""
    app = web.Application(
        middlewares=[faults, guard],
        client_max_size=services.limits.upload_bytes + services.limits.body_bytes,
        handler_args={
            "access_log": None,
            "max_line_size": MAX_LINE_BYTES,
            "max_field_size": MAX_HEADER_BYTES,
            "keepalive_timeout": services.limits.header_s,
        },
    )
    app[SERVICES] = services
    for route in routes(Pages()):
        app.router.add_route(route.method, route.path, route.handler)
    for door in services.doors:
        app.router.add_route(door.method, door.path, door.handler)
    if services.api is not None:
        bind(app, services.api, OPERATIONS)
        bind_pages(app)
    app.on_shutdown.append(_goodbye)
    return app


async def _goodbye(app: web.Application) -> None:
    services = app[SERVICES]
    if services.realtime is not None:
        await services.realtime.close()
    for door in services.doors:
        if door.close is not None:
            await door.close()


async def listen(
    app: web.Application, host: str, port: int, tls: ssl.SSLContext | None = None
) -> tuple[web.AppRunner, int]:
    """Serve an application; the runner to clean up, and the port (0 picks one)."""
    be_discreet()
    runner = web.AppRunner(app, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024, ssl_context=tls)
    await site.start()
    return runner, runner.addresses[0][1]
