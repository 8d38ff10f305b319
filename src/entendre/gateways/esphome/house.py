"""What the gateway is given of the house around it: where replies are fetched, who ends rings, which wake words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from entendre.session.api import ConversationFactory, TimerChanged


class PostedReply(Protocol):
    """A reply that the device fetches by its URL."""

    @property
    def path(self) -> str:
        """Path of its URL."""
        ...

    @property
    def fetched_at(self) -> float | None:
        """When the device asked for it, in monotonic seconds."""
        ...

    def push(self, pcm16: bytes) -> None:
        """The next piece of its audio."""
        ...

    def end(self) -> None:
        """That was all."""
        ...

    def cut(self) -> None:
        """Nobody wants the rest."""
        ...


class ReplyShelf(Protocol):
    """Puts replies where devices fetch them."""

    def open(self, rate_hz: int, *, kind: str, to_hz: int | None, channels: int) -> PostedReply:
        """A new reply: its audio comes at `rate_hz`, the device wants a `kind` of file at `to_hz` (None: any)."""
        ...


@dataclass(frozen=True, slots=True)
class WakeWordModel:
    """A wake word that a device may download: `path` is that of its manifest's URL, its model lies beside it."""

    id: str
    phrase: str
    languages: tuple[str, ...]
    size_bytes: int
    sha256: str
    path: str


async def _nothing(ring: str) -> None:
    """No ring is known."""


@dataclass(frozen=True, slots=True)
class House:
    """The parts that the composition root gives.

    `http_port` is where devices fetch replies; `public_url` is used instead where devices can't reach this machine's
    own address. `dismiss` ends a ring that the device itself silenced; `timers` lists a device's running timers.
    """

    factory: ConversationFactory
    shelf: ReplyShelf
    http_port: int
    public_url: str = ""
    dismiss: Callable[[str], Awaitable[None]] = _nothing
    timers: Callable[[str], tuple[TimerChanged, ...]] = lambda device: ()
    wake_words: tuple[WakeWordModel, ...] = field(default=())

    def url(self, local_address: str, path: str) -> str:
        """The URL under which a device that reaches us at `local_address` finds `path`."""
        if self.public_url:
            return self.public_url.rstrip("/") + path
        address = local_address.partition("%")[0]  # a scope is this machine's own name for the network
        host = f"[{address}]" if ":" in address else address
        return f"http://{host}:{self.http_port}{path}"
