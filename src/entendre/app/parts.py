"""What gateways and the API share of the fleet: who devices are, where they are connected, what they are sent."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from entendre.app.releases import ReleaseParts, open_releases
from entendre.app.tasks import running
from entendre.cloud.changes import LiveChanges
from entendre.cloud.command_jobs import CommandJobs
from entendre.cloud.commands import Commands
from entendre.cloud.device_desk import DeviceDesk
from entendre.cloud.links import LiveLinks
from entendre.cloud.retention import forget
from entendre.cloud.telemetry import TelemetryDoor
from entendre.cloud.webhooks import WebhookDesk
from entendre.core.errors import NotFoundError
from entendre.gateways.fleet.conversations import Conversations
from entendre.media.posting import Poster
from entendre.ports.brands import AssistantProfile
from entendre.ports.fleet_devices import DeviceLogin
from entendre.store.fleet.brands import BrandStore
from entendre.store.fleet.changes import ChangeRows
from entendre.store.fleet.command_jobs import CommandRows
from entendre.store.fleet.credentials import DeviceTokens
from entendre.store.fleet.devices import FleetDevices
from entendre.store.fleet.presence import FleetPresence
from entendre.store.fleet.telemetry import TelemetryRows
from entendre.store.fleet.twins import FleetTwins
from entendre.store.fleet.watch import FleetWatch
from entendre.store.fleet.webhooks import WebhookRows
from entendre.system import new_id

if TYPE_CHECKING:
    from entendre.app.application import App


class Logins:
    """Implements what gateways ask about a device's token."""

    def __init__(self, tokens: DeviceTokens, watch: FleetWatch) -> None:
        self._tokens = tokens
        self._watch = watch

    async def login(self, token: str) -> DeviceLogin | None:
        """The device that a token belongs to; None if it is malformed, unknown, over or revoked."""
        return await self._tokens.login(token)

    def watch(self, device: str, ended: Callable[[], None], credential: str = "") -> Callable[[], None]:
        """Call `ended` once, within 2 s, when a device is revoked or forgotten, later when a credential is over."""
        return self._watch.add(device, ended, credential)


@dataclass(frozen=True, slots=True)
class FleetParts:
    """The parts of one process. There is one of each: presence counts, and commands are handed over, in one place."""

    registry: FleetDevices
    tokens: DeviceTokens
    logins: Logins
    presence: FleetPresence
    twins: FleetTwins
    feed: LiveChanges
    links: LiveLinks
    commands: Commands
    jobs: CommandJobs
    telemetry: TelemetryDoor
    webhooks: WebhookDesk
    desk: DeviceDesk
    releases: ReleaseParts


async def open_parts(app: App) -> FleetParts:
    """The parts over the app's database, at work until the app stops. Raises: StoreError."""
    database, clock, region = app.database, app.clock, app.settings.server.region
    changes, telemetry = ChangeRows(database, clock, region), TelemetryRows(database, clock, region)
    command_rows = CommandRows(database, clock, region)
    tokens = DeviceTokens(database, clock, region)
    registry = FleetDevices(database, clock, region, on_ended=tokens.forget_trusted)
    watch = FleetWatch(database, clock, region, on_ended=tokens.forget_trusted)
    presence, twins = FleetPresence(database, clock, region), FleetTwins(database, clock, region)
    await presence.start()
    feed = LiveChanges(changes)
    await feed.open()
    database.on_written = feed.wake
    links = LiveLinks(feed, presence)

    async def brand_of(device: str) -> str | None:
        found = await registry.found(device)
        return None if found is None or found.state == "revoked" else found.brand

    releases = await open_releases(app, registry, presence, links)
    commands = Commands(command_rows, links, feed, clock, brand_of=brand_of, new_id=new_id)
    links.on_attached(commands.delivery.came)
    door = TelemetryDoor(telemetry, clock, new_id=new_id)
    to_private = app.settings.api.webhooks_to_private
    poster = Poster(to_loopback=to_private)
    app.stack.push_async_callback(poster.close)
    webhook_rows = WebhookRows(database, clock, region)
    parts = FleetParts(
        registry=registry,
        tokens=tokens,
        logins=Logins(tokens, watch),
        presence=presence,
        twins=twins,
        feed=feed,
        links=links,
        commands=commands,
        jobs=CommandJobs(command_rows, registry.ids, clock, new_id=new_id),
        telemetry=door,
        webhooks=WebhookDesk(webhook_rows, feed, poster, clock, new_id=new_id, to_private=to_private),
        releases=releases,
        desk=DeviceDesk(
            twins, door, commands, releases.door, again=commands.delivery.came, releases=releases.door.exchange
        ),
    )
    conversations = Conversations(links, commands, twins, brand_of)
    app.households.on_visit = conversations.came
    app.households.lending.assistant_of = partial(_assistant_of, BrandStore(database, clock, region))
    app.stack.push_async_callback(conversations.close)
    await _run(app, parts, watch, forget((telemetry, command_rows, changes)))
    return parts


async def _assistant_of(brands: BrandStore, device: str) -> AssistantProfile | None:
    """The assistant that a device has now: its brand's, or the partner's that it is lent to."""
    try:
        return (await brands.assistant_of_device(device)).profile
    except NotFoundError:
        return None


async def _run(app: App, parts: FleetParts, watch: FleetWatch, forgetting: Coroutine[Any, Any, None]) -> None:
    """The tasks of the parts, ended in reverse: what was answered is written before the database closes."""
    tasks = {
        "fleet-retention": forgetting,
        "fleet-presence": parts.presence.run(),
        "fleet-watch": watch.run(),
        "changes": parts.feed.run(),
        "fleet-links": parts.links.run(),
        "commands": parts.commands.delivery.run(),
        "command-jobs": parts.jobs.run(),
        "webhooks": parts.webhooks.run(),
    }
    app.stack.push_async_callback(parts.commands.settle)
    for name, work in tasks.items():
        await app.stack.enter_async_context(running(work, name))
    app.stack.push_async_callback(parts.links.stop)
