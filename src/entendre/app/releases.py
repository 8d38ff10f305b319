"""Releases and rollouts put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entendre.app.tasks import running
from entendre.cloud.device_releases import ReleaseDoor
from entendre.cloud.downloads import SignedDownloads
from entendre.cloud.links import LiveLinks
from entendre.cloud.rollouts import RolloutRunner
from entendre.store.fleet.artifacts import Artifacts
from entendre.store.fleet.devices import FleetDevices
from entendre.store.fleet.presence import FleetPresence
from entendre.store.fleet.releases import Releases
from entendre.store.fleet.rollouts import Rollouts

if TYPE_CHECKING:
    from entendre.app.application import App

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class ReleaseParts:
    """What serves releases in one process."""

    book: Releases
    artifacts: Artifacts
    downloads: SignedDownloads
    rollouts: Rollouts
    door: ReleaseDoor


async def open_releases(app: App, registry: FleetDevices, presence: FleetPresence, links: LiveLinks) -> ReleaseParts:
    """The parts over the app's database; rollouts go on until the app stops. Raises: StoreError."""
    settings, database, clock = app.settings, app.database, app.clock
    region = settings.server.region

    async def find_ids(brand: str, query: str, after: str, limit: int) -> Sequence[str]:
        return await registry.ids(brand, query, after=after, limit=limit)

    book = Releases(database, clock, region)
    rollouts = Rollouts(database, clock, region, find_ids)
    downloads = SignedDownloads(await book.download_secret(), clock)
    runner = RolloutRunner(rollouts, clock, downloads, links, settings.server.public_url)
    rollouts.on_changed = runner.wake
    await app.stack.enter_async_context(running(runner.run(), "rollouts"))
    return ReleaseParts(
        book=book,
        artifacts=Artifacts(database, clock, region, settings.artifacts_dir, settings.fleet.artifact_mb * MB),
        downloads=downloads,
        rollouts=rollouts,
        door=ReleaseDoor(rollouts, registry, presence, downloads, settings.server.public_url),
    )
