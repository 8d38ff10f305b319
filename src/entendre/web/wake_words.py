"""Wake word models for devices that download them: public files, without a key."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from aiohttp import hdrs, web

from entendre.web.faults import Fault
from entendre.web.services import Door

ROUTE = "/wake-words/{name}"
MEDIA_TYPES = {".json": "application/json", ".tflite": "application/octet-stream"}


class WakeWordFiles:
    """Manifests and models by their file names."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = {each.name: each for each in files if each.suffix in MEDIA_TYPES}

    def doors(self) -> tuple[Door, ...]:
        """The route under which they are fetched."""
        return (Door(hdrs.METH_GET, ROUTE, self.fetch),)

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """Send one file."""
        file = self._files.get(request.match_info["name"])
        if file is None:
            raise Fault(404, "not_found", "There is no such wake word.")
        return web.FileResponse(file, headers={hdrs.CONTENT_TYPE: MEDIA_TYPES[file.suffix]})
