"""The client of a server's API: `async with Entendre(url, key=…) as client: await client.brands.create(…)`."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Generic, NamedTuple, Self, TypeVar

from entendre.clients.api.artifacts import Artifacts
from entendre.clients.api.exports import Exports
from entendre.clients.api.following import Following
from entendre.clients.api.groups import Groups
from entendre.clients.api.oauth import OAuth
from entendre.clients.api.retrying import Retries
from entendre.clients.api.transport import ETAG, Transport
from entendre.core.errors import InvalidInputError

T = TypeVar("T")


class Tagged(NamedTuple, Generic[T]):
    """A record and its etag; None where a thing has none."""

    record: T
    etag: str | None


BY_HAND: dict[str, str] = {
    "download": "artifacts.fetch",
    "export_household": "exports.household",
    "export_me": "exports.me",
    "get_tokens": "sign_in.wait",
    "put_artifact": "artifacts.upload",
    "revoke_token": "sign_in.revoke",
    "start_device_flow": "sign_in.begin",
}
"""Operations that take or give no JSON, by the method that does them."""


class Entendre(Groups):
    """One server. `key`: an API key; `token`: a person's or a device's access token; neither on a local server.

    Every method is one operation of docs/api.md; its errors are `ApiError` and its subclasses. `timeout_s` bounds one
    request, `retries` says how persistent it is where repeating is safe.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        token: str | None = None,
        timeout_s: float = 30.0,
        retries: Retries | None = None,
    ) -> None:
        if key and token:
            raise InvalidInputError("Give a key or a token, not both.")
        super().__init__(Transport(url, bearer=key or token, timeout_s=timeout_s, retries=retries))
        self.artifacts = Artifacts(self._transport)
        self.exports = Exports(self._transport)
        self.follow = Following(self._transport)
        self.sign_in = OAuth(self._transport)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._transport.url

    async def tagged(self, asked: Awaitable[T]) -> Tagged[T]:
        """What an operation answered, with its etag: `hook, etag = await client.tagged(client.webhooks.get(…))`.

        Most records have a `version`, which is their etag and can be given as `if_match` itself.
        """
        ETAG.set(None)
        record = await asked
        return Tagged(record, ETAG.get())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()
