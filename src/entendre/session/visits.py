"""A conversation whose household is found when it begins to run, and which ends when its device moves out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from entendre.core.audio import HOUSE_FORMAT
from entendre.core.errors import EntendreError, HouseholdChangedError, OverloadedError
from entendre.session.announcing import Announcement
from entendre.session.api import Conversation, DeviceLink, DeviceProfile, ListenMode, TurnFailed

MAX_WAITING = 512
MAX_WAITING_AUDIO_S = 180.0
"""What a client may do and say before its household is open, which takes milliseconds."""

Deed = Callable[[Conversation], None]


class Hosts(Protocol):
    """Where visits go."""

    def receive(self, visit: Visit) -> AbstractAsyncContextManager[Conversation]:
        """The conversation of a visit in its household, which stays open meanwhile. Raises: EntendreError."""
        ...


class Visit:
    """Implements `session.api.Conversation`; what comes before its household is open waits for it."""

    def __init__(self, hosts: Hosts, profile: DeviceProfile, link: DeviceLink) -> None:
        self.profile = profile
        """As its device has it, with the assistant that answers there."""
        self.link = link
        self.dressed = 0
        """The number of the newest answer to whose assistant it has."""
        self._given = profile
        self._wanted: Callable[[DeviceProfile], DeviceProfile] = lambda given: given
        self._hosts = hosts
        self._inner: Conversation | None = None
        self._waiting: deque[Deed] = deque()
        self._waiting_bytes = 0
        self._over: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Serve the conversation until `close`. Raises: HouseholdChangedError once the device is another's."""
        self._over = asyncio.get_running_loop().create_future()
        async with self._hosts.receive(self) as inner, _running(inner) as talking:
            as_opened = self.profile
            await self._catch_up(inner)
            if self.profile is not as_opened:
                inner.reconfigure(self.profile)
            await asyncio.wait({talking, self._over}, return_when=asyncio.FIRST_COMPLETED)
            if self._over.done():
                raise HouseholdChangedError("This device has come into another home. Connect again.")
            await talking

    def expel(self) -> None:
        """Its device is in another household now: have `run` end."""
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def hear(self, pcm16: bytes) -> None:
        """Uplink audio. Raises: OverloadedError when too much waits."""
        if self._inner is not None:
            self._inner.hear(pcm16)
            return
        if HOUSE_FORMAT.seconds(self._waiting_bytes + len(pcm16)) > MAX_WAITING_AUDIO_S:
            raise OverloadedError("Too much audio is waiting. Send it at the speed it was recorded.")
        self._do(lambda inner: inner.hear(pcm16))
        self._waiting_bytes += len(pcm16)

    def start_listening(self, mode: ListenMode | None = None, *, interrupts: bool = True, woken: bool = False) -> None:
        """The client opened its microphone."""
        self._do(lambda inner: inner.start_listening(mode, interrupts=interrupts, woken=woken))

    def stop_listening(self) -> None:
        """Push to talk was released, or the client commits its audio."""
        self._do(lambda inner: inner.stop_listening())

    def clear_audio(self) -> None:
        """Forget uplink audio that was not committed."""
        self._do(lambda inner: inner.clear_audio())

    def respond(self, text: str | None = None) -> None:
        """Answer typed text, or the last committed turn."""
        self._do(lambda inner: inner.respond(text))

    def announce(self, announcement: str | Announcement) -> None:
        """Say something that is no reply, when nobody speaks."""
        self._do(lambda inner: inner.announce(announcement))

    def cancel_reply(self) -> None:
        """Stop the reply being planned or spoken."""
        self._do(lambda inner: inner.cancel_reply())

    def played(self, reply: str, seconds: float) -> None:
        """The client reports how much of a reply it played."""
        self._do(lambda inner: inner.played(reply, seconds))

    def reconfigure(self, profile: DeviceProfile) -> None:
        """Use another profile from the next turn on."""
        self._given = profile
        self.profile = wanted = self._wanted(profile)
        self._do(lambda inner: inner.reconfigure(wanted))

    def become(self, wanted: Callable[[DeviceProfile], DeviceProfile]) -> None:
        """Have another assistant answer from the next turn on: `wanted` makes its profile of the device's own."""
        self._wanted = wanted
        profile = wanted(self._given)
        if profile != self.profile:
            self.profile = profile
            if self._inner is not None:
                self._inner.reconfigure(profile)

    def close(self) -> None:
        """End `run` after what is under way."""
        self._do(lambda inner: inner.close())

    def _do(self, deed: Deed) -> None:
        """Now, or once the household is open. Raises: OverloadedError when too much waits."""
        if self._inner is not None:
            deed(self._inner)
            return
        if len(self._waiting) >= MAX_WAITING:
            raise OverloadedError("Too much is waiting. Try again.")
        self._waiting.append(deed)

    async def _catch_up(self, inner: Conversation) -> None:
        """Do what waited, in order; what is refused is told, as it can't be raised any more."""
        while self._waiting:
            try:
                self._waiting.popleft()(inner)
            except EntendreError as error:
                await self.link.deliver(TurnFailed("", error.code, error.public_message))
        self._waiting_bytes = 0
        self._inner = inner


@asynccontextmanager
async def _running(inner: Conversation) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(inner.run(), name="conversation")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
