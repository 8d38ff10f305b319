"""The talk page and its files, with headers that let it load nothing from anywhere else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from importlib.resources import files

from aiohttp import hdrs, web

from entendre.markets.loader import languages
from entendre.web.services import SERVICES

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
}


class Pages:
    """The files of `web/static`, held in memory: there are few and they are small."""

    def __init__(self) -> None:
        folder = files("entendre.web") / "static"
        self._files = {file.name: file.read_bytes() for file in folder.iterdir() if _suffix(file.name) in MEDIA_TYPES}
        self.languages = {tag: str(json.loads(self._files[name])["language_name"]) for tag, name in self._texts()}
        """Languages that there are texts in and that can be understood, by how they call themselves."""

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Tag and file of every language of the page."""
        understood = frozenset(languages())
        for name in sorted(self._files):
            found = re.fullmatch(r"text\.([\w-]+)\.json", name)
            if found and found.group(1) in understood:
                yield found.group(1), name

    async def talk(self, request: web.Request) -> web.Response:
        """The talk page."""
        return self._answer(request, "talk.html")

    async def static(self, request: web.Request) -> web.Response:
        """One of its files."""
        return self._answer(request, request.match_info["name"])

    async def settings(self, request: web.Request) -> web.Response:
        """What the page must know before it connects."""
        services = request.app[SERVICES]
        body = {
            "requires_key": services.require_key,
            "language": services.language,
            "languages": self.languages,
        }
        return web.json_response(body, headers=HEADERS, dumps=json.dumps)

    def _answer(self, request: web.Request, name: str) -> web.Response:
        data = self._files.get(name)
        if data is None:
            raise web.HTTPNotFound
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        headers = HEADERS | {hdrs.ETAG: tag}
        if request.headers.get(hdrs.IF_NONE_MATCH) == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=data, content_type=MEDIA_TYPES[_suffix(name)], charset="utf-8", headers=headers)


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
