"""ESPHome voice devices: their routes on the HTTP server, and the connections to them."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entendre.app.tasks import running
from entendre.config import is_loopback
from entendre.core.errors import MissingExtraError
from entendre.session.api import TimerChanged
from entendre.speech.wake_models import WakeModel, wake_models
from entendre.web.replies import Replies
from entendre.web.wake_words import ROUTE as WAKE_WORD_ROUTE
from entendre.web.wake_words import WakeWordFiles

if TYPE_CHECKING:
    from entendre.app.application import App
    from entendre.gateways.esphome.house import WakeWordModel
    from entendre.gateways.esphome.runner import DeviceRunner

log = logging.getLogger(__name__)


WORKS = frozenset({"serving", "dialling"})


@dataclass(slots=True)
class EspHomeDoor:
    """What devices fetch from the HTTP server, and how they are."""

    replies: Replies
    models: tuple[WakeModel, ...]
    runner: DeviceRunner | None = None

    def problems(self) -> list[str]:
        """Devices that are not served, and why."""
        statuses = self.runner.statuses() if self.runner is not None else []
        return [f"{each.device}: {each.message or each.state}" for each in statuses if each.state not in WORKS]


def open_esphome(app: App) -> EspHomeDoor | None:
    """Offer the routes that devices need, before the HTTP server starts; None if there are no devices."""
    settings = app.settings.esphome
    if not settings.devices and not settings.discover:
        return None
    models = wake_models()
    door = EspHomeDoor(Replies(), models)
    files = WakeWordFiles([file for each in models for file in (each.manifest, each.model)])
    app.doors += [*door.replies.doors(), *files.doors()]
    others = app.problems
    app.problems = lambda: others() + door.problems()
    return door


async def start_esphome(app: App, door: EspHomeDoor | None) -> None:
    """Dial the devices. Raises: ConfigurationError, MissingExtraError."""
    if door is None:
        return
    try:
        from entendre.gateways.esphome.house import House
        from entendre.gateways.esphome.runner import DeviceRunner
        from entendre.gateways.esphome.settings import RunnerSettings, parse_devices, parse_keys
    except ImportError:
        raise MissingExtraError("ESPHome devices need aioesphomeapi: pip install 'entendre[esphome]'.") from None
    settings, server = app.settings.esphome, app.settings.server
    keys = parse_keys(settings.noise_keys)
    devices = parse_devices(settings.devices, keys)
    if is_loopback(server.host) and not server.public_url and any(not is_loopback(each.host) for each in devices):
        log.warning(
            "ESPHome devices fetch replies from this server, which listens on %s only: set server.host", server.host
        )
    house = House(
        factory=app.households,
        shelf=door.replies,
        http_port=app.port or server.port,
        public_url=server.public_url,
        dismiss=app.dismiss_ring,
        timers=lambda device: _timers(app, device),
        wake_words=tuple(_offered(each) for each in door.models),
    )
    runner = door.runner = DeviceRunner(
        house,
        devices,
        RunnerSettings(
            language=server.language,
            wake_words=settings.wake_words,
            served_wake_words=app.settings.speech.wake_words,
            discover=settings.discover,
            dial_in_host=settings.dial_in_host,
            dial_in_port=settings.dial_in_port,
            chime=settings.chime,
        ),
        keys=keys,
    )
    await app.stack.enter_async_context(running(runner.run(), "esphome-devices"))


def _timers(app: App, device: str) -> tuple[TimerChanged, ...]:
    """A device's running timers, for one that has just connected and may have forgotten them."""
    return tuple(
        TimerChanged(each.id, "started", each.name, each.total_s, each.remaining_s, each.paused)
        for each in app.timers()
        if each.device == device and not each.ringing
    )


def _offered(model: WakeModel) -> WakeWordModel:
    from entendre.gateways.esphome.house import WakeWordModel

    path = WAKE_WORD_ROUTE.format(name=model.manifest.name)
    return WakeWordModel(model.id, model.phrase, model.languages, model.size_bytes, model.sha256, path)
