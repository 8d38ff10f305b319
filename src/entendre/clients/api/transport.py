"""Requests to the API: bounded, timed, repeated only where that is safe, answers decoded into records."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Generic, Self, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec
from yarl import URL

from entendre import __version__
from entendre.clients.api.errors import ApiError, BadAnswerError, NotReachedError, error_of
from entendre.clients.api.retrying import Retries, may_repeat, worth_repeating
from entendre.core.errors import EntendreError, InvalidInputError

T = TypeVar("T")
ROOT = "/api/v1"
MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_REFUSAL_BYTES = 64 * 1024
CONNECT_S = 10.0
USER_AGENT = f"entendre-client/{__version__}"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation of the API, by its name there. `idempotent`: it takes an Idempotency-Key."""

    operation: str
    method: str
    path: str
    idempotent: bool = False
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What was answered. `etag`: to hand back as `if_match`; None where a thing has none."""

    value: T
    etag: str | None = None
    status: int = 200


ETAG: ContextVar[str | None] = ContextVar("etag", default=None)
"""The etag of the last answer in this task."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent as often as needed. `path`: quoted, from the root of the server, or a whole URL.

    A whole URL carries what it needs in itself: our key goes to our server's paths only.
    """

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None
    headers: Mapping[str, str]
    repeatable: bool


class Transport:
    """The connections to one server. `bearer`: an API key, a person's token or a device's, sent with every request."""

    def __init__(
        self,
        url: str,
        *,
        bearer: str | None = None,
        timeout_s: float = 30.0,
        retries: Retries | None = None,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InvalidInputError(f"{url!r} is no address of a server; http://127.0.0.1:8770 is one.")
        self.url = url.rstrip("/")
        self.bearer = bearer
        self.timeout_s = timeout_s
        self.retries = retries or Retries()
        self._max_answer_bytes = max_answer_bytes
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def ask(self, request: Request, reply: type[T] | None, timeout_s: float | None = None) -> Answer[T]:
        """Send, again where that is safe and may help, and decode.

        Raises: ApiError, NotReachedError, BadAnswerError.
        """
        attempt = 0
        error: EntendreError
        while True:
            attempt += 1
            try:
                status, headers, body = await self._once(request, timeout_s or self.timeout_s)
            except NotReachedError as lost:
                error = lost
                pause_s = self.retries.pause_s(attempt, None) if request.repeatable else None
                if pause_s is None:
                    raise
            else:
                if status < 400:
                    ETAG.set(unquoted(headers.get("ETag")))
                    return Answer(decoded(body, reply), ETAG.get(), status)
                retry_after_s = seconds_of(headers.get("Retry-After"))
                error = refused = error_of(status, body, retry_after_s)
                pause_s = self._pause_s(request, refused, attempt)
                if pause_s is None:
                    raise error
            self.retries.told(error)
            await asyncio.sleep(pause_s)

    def _pause_s(self, request: Request, error: ApiError, attempt: int) -> float | None:
        """Whether to ask again: a 429 was not carried out, so it may be repeated whatever it was."""
        if not worth_repeating(error) or not (request.repeatable or error.status == 429):
            return None
        return self.retries.pause_s(attempt, error.retry_after_s)

    async def _once(self, request: Request, timeout_s: float) -> tuple[int, Mapping[str, str], bytes]:
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_S, timeout_s))
        async with self.opened(request, timeout) as answer:
            limit = self._max_answer_bytes if answer.status < 400 else MAX_REFUSAL_BYTES
            return answer.status, answer.headers, await bounded(answer, limit)

    @asynccontextmanager
    async def opened(
        self, request: Request, timeout: aiohttp.ClientTimeout, data: object = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one request, its body unread. Raises: NotReachedError, also while the body is read."""
        headers = {"User-Agent": USER_AGENT, **request.headers}
        ours = request.path.startswith("/")
        if self.bearer and ours:
            headers["Authorization"] = f"Bearer {self.bearer}"
        try:
            async with self._session().request(
                request.method,
                URL(f"{self.url}{request.path}" if ours else request.path, encoded=True),
                params=dict(request.query) or None,
                data=request.body if data is None else data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                yield answer
        except TimeoutError as error:
            raise NotReachedError(f"{self.url} did not answer in time.") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise NotReachedError(f"{self.url} can't be reached.", detail=str(error)) from error

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(auto_decompress=True, trust_env=True)
        return self._http


def request_of(
    route: Route,
    path: Mapping[str, str],
    *,
    query: Mapping[str, object] | None = None,
    body: object = msgspec.UNSET,
    if_match: str | int | None = None,
    idempotency_key: str | None = None,
    root: str = ROOT,
) -> Request:
    """An operation with its arguments as a request; POSTs that take an idempotency key get one."""
    headers = {"Accept": "application/json"}
    key = (idempotency_key or uuid.uuid4().hex) if route.idempotent else None
    if key is not None:
        headers["Idempotency-Key"] = key
    if if_match is not None:
        headers["If-Match"] = if_match if if_match == "*" else f'"{if_match}"'
    sent = None
    if body is not msgspec.UNSET:
        sent = msgspec.json.encode(without_unset(body))
        headers["Content-Type"] = route.content_type
    return Request(
        route.method,
        root + filled(route.path, path),
        {name: text_of(value) for name, value in (query or {}).items() if value not in (None, msgspec.UNSET)},
        sent,
        headers,
        may_repeat(route.method, key is not None),
    )


def filled(path: str, values: Mapping[str, str]) -> str:
    """A path with its parts filled in and quoted. Raises: InvalidInputError."""
    for name, value in values.items():
        if not value or value in (".", ".."):
            raise InvalidInputError(f"{name} must not be {value!r}.")
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


def text_of(value: object) -> str:
    """A parameter of a query as the server reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def without_unset(body: object) -> object:
    """A body without what was not given."""
    if isinstance(body, Mapping):
        return {name: value for name, value in body.items() if value is not msgspec.UNSET}
    return body


def decoded(body: bytes, reply: type[T] | None) -> T:
    """The body as a record. Raises: BadAnswerError."""
    if reply is None:
        nothing: Any = None
        return nothing  # type: ignore[no-any-return]
    try:
        return msgspec.json.decode(body, type=reply)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswerError(
            "The server's answer can't be read; is it an Entendre server?", detail=str(error)
        ) from error


async def bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """A body of at most `limit` bytes. Raises: BadAnswerError."""
    data = bytearray()
    async for piece in answer.content.iter_any():
        data += piece
        if len(data) > limit:
            raise BadAnswerError(f"The server's answer is longer than {limit} bytes.")
    return bytes(data)


def unquoted(etag: str | None) -> str | None:
    """An etag without its quotes and the mark of a weak one."""
    return etag.removeprefix("W/").strip('"') if etag else None


def seconds_of(retry_after: str | None) -> float | None:
    """A `Retry-After` in seconds: a number, or a date."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except (ValueError, TypeError):
        return None
