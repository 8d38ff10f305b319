"""The HTTP server: the API, the talk page, and the routes of gateways that speak HTTP or WebSocket."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web

from entendre.app.fleet import open_fleet
from entendre.app.home import play_in_home, say_in_home
from entendre.config import Settings, is_loopback
from entendre.core.document import document_of
from entendre.core.errors import ConfigurationError
from entendre.core.plan import DeviceView
from entendre.gateways.fleet.realtime import FleetRealtime
from entendre.gateways.mqtt import tls_context
from entendre.gateways.realtime.gateway import RealtimeGateway
from entendre.gateways.realtime.settings import RealtimeSettings
from entendre.home.rooms import room_named
from entendre.ports import Recognizer, Voice
from entendre.session.text import answer_text
from entendre.web.server import build_app, listen
from entendre.web.services import Question, WebServices
from entendre.web.standing import may_stay, standing_of

if TYPE_CHECKING:
    from entendre.app.application import App


async def start_web(app: App) -> int:
    """Serve HTTP and WebSockets; the port. Raises: ConfigurationError."""
    settings = app.settings
    realtime = RealtimeGateway(
        app.households,
        RealtimeSettings(language=settings.server.language, max_connections=settings.limits.connections),
        may_stay=may_stay,
        standing_of=standing_of,
        fleet=FleetRealtime(app.fleet.logins, app.fleet.desk, app.fleet.links),
    )
    services = _web_services(app, realtime)
    services.api = await open_fleet(app, require_key=services.require_key)
    application = build_app(services)
    runner, port = await _bound(app, application)
    app.stack.push_async_callback(runner.cleanup)
    return port


async def _bound(app: App, application: web.Application) -> tuple[web.AppRunner, int]:
    host, port = app.settings.server.host, app.settings.server.port
    tls = tls_of(app.settings)
    try:
        return await listen(application, host, port, tls)
    except OSError as error:
        raise ConfigurationError(
            f"Can't listen on {host}:{port}: {error.strerror or error}. Another server may be running; "
            "stop it, or choose another port with --port."
        ) from error


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """What the server speaks TLS with; None for plain HTTP. Raises: ConfigurationError."""
    server = settings.server
    if (server.certificate is None) is not (server.certificate_key is None):
        raise ConfigurationError("server.certificate and server.certificate_key go together.")
    if server.certificate is None or server.certificate_key is None:
        return None
    return tls_context(server.certificate, server.certificate_key)


def _web_services(app: App, realtime: RealtimeGateway) -> WebServices:
    settings, speech = app.settings, app.speech

    def recognizer(language: str) -> Recognizer | None:
        return speech.recognizer if speech.hears(language) else None

    def voice(language: str, name: str | None) -> Voice | None:
        named = next((each for each in speech.voices if each.name == name), None)
        return named or speech.voice_for(language)

    models = {"entendre": "assistant", **{each.name: "voice" for each in speech.voices}}
    if speech.recognizer is not None:
        models[speech.recognizer.name] = "recognizer"
    return WebServices(
        recognizer=recognizer,
        voice=voice,
        ask=partial(_ask, app),
        announce=partial(say_in_home, app),
        control_media=partial(play_in_home, app),
        verify_key=app.keys.verify,
        devices=app.devices,
        room_named=lambda name: room_named(app.rooms(), name),
        homes=app.households.homes,
        realtime=realtime,
        require_key=needs_key(app.settings),
        language=settings.server.language,
        models=models,
        voices=lambda: tuple(each.name for each in speech.voices),
        ready=lambda: app.missing,
        problems=app.problems,
        doors=tuple(app.doors),
    )


def needs_key(settings: Settings) -> bool:
    """Whether callers need a key. Behind a proxy, everybody comes from loopback."""
    server = settings.server
    return settings.keys.required or bool(server.trusted_proxies) or not is_loopback(server.host)


async def _ask(app: App, question: Question) -> Mapping[str, Any]:
    device = DeviceView(id=question.device, room=question.room)
    async with app.households.using(question.household) as runtime:
        answer = await answer_text(
            runtime.assistant,
            question.text,
            device=device,
            language=question.language or runtime.spoken,
            act=question.act,
            turn=question.turn,
            account=question.account,
        )
    return {**document_of(answer.understanding, answer.plan), "failed": list(answer.failed)}
