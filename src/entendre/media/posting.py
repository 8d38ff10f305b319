"""Posts to addresses that others chose: the public Internet only, no redirect followed, every wait and size bounded."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Mapping

import aiohttp
from aiohttp import hdrs

from entendre.core.errors import MediaError
from entendre.media.addresses import CheckedResolver, Place, check_literal, place_of

log = logging.getLogger(__name__)

CONNECT_S = 5.0
TOTAL_S = 15.0
ANSWER_BYTES = 4 * 1024
"""What is read of an answer: nobody looks at it."""
NO_ANSWER = 0


class Poster:
    """Implements `ports.webhooks.Post`. One session for all; `close` it at the end."""

    def __init__(self, *, to_loopback: bool = False) -> None:
        """`to_loopback`: this machine may be posted to."""
        self._to_loopback = to_loopback
        self._named: set[Place] = set()
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a body; the status, 0 if nobody answered or the address is private."""
        try:
            place = place_of(url)
            if self._to_loopback and _is_loopback(place[0]):
                self._named.add(place)
            check_literal(place, frozenset(self._named))
            async with self._opened().post(
                url, data=body, headers={hdrs.USER_AGENT: "Entendre", **headers}, allow_redirects=False
            ) as answer:
                await answer.content.read(ANSWER_BYTES)
                return answer.status
        except (MediaError, aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.info("a webhook did not answer", extra={"reason": type(error).__name__})
            return NO_ANSWER

    async def close(self) -> None:
        """End what is under way."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=CheckedResolver(lambda: frozenset(self._named)), force_close=True, use_dns_cache=False
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TOTAL_S, sock_connect=CONNECT_S),
                max_line_size=8_190,
                max_field_size=8_190,
                auto_decompress=False,
            )
        return self._session


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
