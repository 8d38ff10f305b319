"""What the web application is given: the engines, the planner, the keys, and what bounds a request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from entendre.core.home import HOME
from entendre.ports import DeviceBook, Recognizer, Voice
from entendre.ports.homes import Homes
from entendre.web.api.services import ApiServices

MIB = 1024 * 1024


class SocketRoute(Protocol):
    """A gateway that serves WebSocket requests which the application has let in."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it goes."""
        ...

    async def close(self) -> None:
        """Say goodbye to every client."""
        ...


@dataclass(frozen=True, slots=True)
class Door:
    """A route of a gateway: it lets its clients in itself, by their own credentials instead of an API key.

    `close`, if given, says goodbye to whoever is connected when the server stops.
    """

    method: str
    path: str
    handler: Handler
    close: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A sentence to answer without a conversation. `act` carries the plan out; otherwise it is only planned.

    `language`: empty for the household's. `turn`: what the client calls this request; the same one again does nothing
    twice.
    """

    text: str
    language: str
    room: str | None = None
    device: str = "web"
    act: bool = False
    turn: str | None = None
    household: str = HOME
    account: str | None = None


@dataclass(frozen=True, slots=True)
class SpokenNotice:
    """A text to say in a room, on a device, or everywhere. `within_s`: how long it may wait for silence.

    `turn`: what the client calls this request; the same one again is not said twice.
    """

    text: str
    room: str | None = None
    device: str | None = None
    language: str | None = None
    urgent: bool = False
    within_s: float = 120.0
    turn: str | None = None
    household: str = HOME


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """What to do with media, on the speakers of a room, on a device, or on all. `play` has a station or a URL."""

    command: str
    station: str | None = None
    url: str | None = None
    room: str | None = None
    device: str | None = None
    household: str = HOME


Taken = Sequence[tuple[str, str | None]]
"""The devices that took something, each with its room."""

ControlMedia = Callable[[MediaRequest], Awaitable[Taken | None]]
"""A request to the devices that took it; None for a station that the home does not have."""

Announce = Callable[[SpokenNotice], Awaitable[Taken]]
"""A notice to the devices that took it. Raises: EntendreError."""

Ask = Callable[[Question], Awaitable[Mapping[str, Any]]]
"""A question to the document of `entendre ask --json`. Raises: EntendreError."""


@dataclass(frozen=True, slots=True)
class WebLimits:
    """Bounds of one request."""

    upload_bytes: int = 25 * MIB
    """Largest audio file. Source: OpenAI's limit of `/v1/audio/transcriptions`."""
    body_bytes: int = 64 * 1024
    """Largest JSON body."""
    audio_s: float = 600.0
    """Longest audio file, decoded."""
    speech_chars: int = 4_096
    """Longest text to speak. Source: OpenAI's limit of `/v1/audio/speech`."""
    request_s: float = 120.0
    """Longest time to work on one request."""
    upload_s: float = 60.0
    """Longest time to receive one upload."""
    send_s: float = 20.0
    """Longest time that a client may take nothing of its answer."""
    header_s: float = 15.0
    """Longest time that a connection may stay silent between requests."""


@dataclass(slots=True)
class WebServices:
    """Everything behind the routes; the composition root fills it in.

    `recognizer` and `voice` choose by language (and, for a voice, its name; None is the usual one), and return None
    where there is none. `verify_key` returns what a key stands for, None for an unknown key. `ready` names what is
    not ready, `problems` what does not work although the server serves.
    """

    recognizer: Callable[[str], Recognizer | None]
    voice: Callable[[str, str | None], Voice | None]
    ask: Ask
    verify_key: Callable[[str], Awaitable[object | None]]
    announce: Announce | None = None
    control_media: ControlMedia | None = None
    devices: DeviceBook | None = None
    room_named: Callable[[str], str] = str
    """The id of the room that goes by a name. Raises: InvalidInputError."""
    homes: Homes | None = None
    """Whose homes people and devices are in; without it there is the server's own alone."""
    realtime: SocketRoute | None = None
    require_key: bool = False
    language: str = "en"
    models: Mapping[str, str] = field(default_factory=dict)
    """Name to kind, "recognizer", "voice" or "assistant", as `/v1/models` lists them."""
    voices: Callable[[], tuple[str, ...]] = tuple
    ready: Callable[[], list[str]] = list
    problems: Callable[[], list[str]] = list
    limits: WebLimits = field(default_factory=WebLimits)
    doors: tuple[Door, ...] = ()
    """Routes beside the documented API, for devices."""
    api: ApiServices | None = None
    """What is behind `/api/v1`; None serves none of it."""
    long_audio: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Held by the recording of more than one piece that is being recognised."""
    started_unix_s: int = field(default_factory=lambda: int(time.time()))


SERVICES = web.AppKey("services", WebServices)
