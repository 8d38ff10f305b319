"""Lists that come in pages: read to their end by cursor, one page ahead of nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from entendre.clients.api.errors import BadAnswerError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Page(Protocol[T_co]):
    """One page of a list. `next`: the cursor of the page after it."""

    @property
    def data(self) -> Sequence[T_co]:
        """The records of this page."""
        ...

    @property
    def next(self) -> str | None:
        """Where the next page begins; None at the end."""
        ...


async def every(page: Callable[[str | None], Awaitable[Page[T]]], after: str | None = None) -> AsyncIterator[T]:
    """Each record of each page. Raises: BadAnswerError for a server that leads in a circle."""
    while True:
        answer = await page(after)
        for record in answer.data:
            yield record
        if answer.next is None:
            return
        if answer.next == after:
            raise BadAnswerError("The server's list does not end: it gave the same cursor again.")
        after = answer.next
