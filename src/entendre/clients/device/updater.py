"""One update of a device, from the offer to the restart: nothing is installed that its maker has not signed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from pathlib import Path

from entendre.clients.api.downloads import Progress, download
from entendre.clients.api.errors import NotReachedError
from entendre.clients.api.transport import Transport
from entendre.clients.device.link import DeviceLink, Offer, UpdateSaid
from entendre.clients.device.updates import Manifest, OfferedFile, signature_of, verified
from entendre.core.errors import EntendreError

log = logging.getLogger(__name__)

MAX_DETAIL_CHARS = 500

Install = Callable[[Manifest, Path], Awaitable[None]]
"""Puts a file that was checked in its place; the device restarts after it. Raises whatever goes wrong."""


class Updater:
    """Keeps a device's software up to date. `url`: of the server, for files; `keys`: its maker's public keys."""

    def __init__(
        self, link: DeviceLink, url: str, keys: Collection[bytes], folder: Path, install: Install, *, board: str = ""
    ) -> None:
        self._link = link
        self._transport = Transport(url)
        self._keys = keys
        self._folder = folder
        self._install = install
        self._board = board

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def check(self, running: str, progress: Progress | None = None) -> Manifest | None:
        """Say what runs, and install what is offered: it, once it is in its place; None where nothing is offered.

        What runs then is said by the next `check`, after the restart. Raises: NotReachedError, EntendreError after
        the server was told that it failed.
        """
        idle = UpdateSaid(running, self._board)
        offer = await self._link.release(idle)
        if offer is None:
            return None
        said = replace(idle, rollout=offer.rollout, attempt=offer.attempt)
        try:
            manifest = verified(offer.manifest, signature_of(offer.signature), self._keys)
            wanted = manifest.file_for(self._board)
            await self._link.release(replace(said, said="downloading"))
            file = await self._fetched(offer, wanted, idle, progress)
            await self._link.release(replace(said, said="installing"))
            await self._install(manifest, file)
        except NotReachedError:
            raise  # the part that came is kept; the next check goes on from there
        except Exception as error:
            code = error.code if isinstance(error, EntendreError) else type(error).__name__
            log.warning("update failed", extra={"number": offer.number, "code": code})
            await self._link.release(replace(said, said="failed", detail=code[:MAX_DETAIL_CHARS]))
            raise
        return manifest

    async def _fetched(self, offer: Offer, wanted: OfferedFile, idle: UpdateSaid, progress: Progress | None) -> Path:
        waiting = [offer]

        async def address() -> str:
            current = waiting.pop() if waiting else await self._link.release(idle)
            found = [each.url for each in (current.artifacts if current else ()) if each.sha256 == wanted.sha256]
            if not found:
                raise NotReachedError("The release is not offered any more.")
            return found[0]

        self._folder.mkdir(parents=True, exist_ok=True)
        return await download(
            self._transport,
            address,
            self._folder / Path(wanted.name).name,
            size_bytes=wanted.size_bytes,
            sha256=wanted.sha256,
            progress=progress,
        )
