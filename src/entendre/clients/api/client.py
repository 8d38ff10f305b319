"""The client of a server's API: `async with Entendre(url, key=…) as client: await client.brands.create(…)`."""

from __future__ import annotations

from typing import Self

from entendre.clients.api.exports import Exports
from entendre.clients.api.groups import Groups
from entendre.clients.api.retrying import Retries
from entendre.clients.api.transport import Transport
from entendre.core.errors import InvalidInputError

BY_HAND: dict[str, str] = {"export_household": "exports.household", "export_me": "exports.me"}
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
        self._transport = Transport(url, bearer=key or token, timeout_s=timeout_s, retries=retries)
        super().__init__(self._transport)
        self.exports = Exports(self._transport)

    @property
    def url(self) -> str:
        """The server's address."""
        return self._transport.url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()
