"""Every household that this process speaks for: opened when somebody comes or something is due, closed when idle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from entendre.core.clock import Clock
from entendre.core.errors import EntendreError, NotFoundError, OverloadedError
from entendre.core.home import HOME
from entendre.ports.homes import Homes, Position, StoredHome
from entendre.session.api import Conversation, DeviceLink, DeviceProfile
from entendre.session.assistant import Assistant
from entendre.session.conversation import LiveConversation
from entendre.session.homeless import ClaimCode, homeless
from entendre.session.lending import Lending
from entendre.session.runtime import HouseholdPlan, HouseholdRuntime
from entendre.session.visits import Visit

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
"""How often it is looked what is due and what changed, over all households by one query."""
AHEAD_S = 3.0
"""A household is opened so long before something rings in it."""
IDLE_S = 300.0
"""A household that nobody used for so long is closed."""
TRY_AGAIN_S = 60.0
"""When a household that could not be opened is looked at again."""
WAKING_AT_ONCE = 8
"""Households that are woken at once; their rows are read by one thread."""
LEAVE_S, LEAVE_LOOK_S = 5.0, 0.02
"""How long a household that is erased waits for its conversations to end."""
OPENING = "open-household"
"""The name of such a task."""


class Households:
    """Implements `session.api.ConversationFactory` for all gateways. `run` it while it serves, and `close` it."""

    def __init__(
        self,
        own: HouseholdRuntime,
        homes: Homes,
        clock: Clock,
        make: Callable[[HouseholdPlan], HouseholdRuntime],
        plan_of: Callable[[StoredHome], HouseholdPlan],
        *,
        most: int,
    ) -> None:
        """`own`: the household of the server itself, which is always open. `most`: others that are open at once.

        `plan_of` reads what is stored of a household, `make` has its runtime, which is started here.
        """
        self.own = own
        self.claim_code: ClaimCode | None = None
        """Tells the code by which a device is taken home; it is asked of devices without a household."""
        self.homes = homes
        self._clock = clock
        self._make = make
        self._plan_of = plan_of
        self._most = most
        self._open: dict[str, HouseholdRuntime] = {}
        """Least recently used first."""
        self._moving: dict[str, asyncio.Task[HouseholdRuntime | None]] = {}
        """Households that are being opened or closed."""
        self._visits: dict[Visit, str | None] = {}
        self._devices: dict[str, set[Visit]] = {}
        """Visits by the device that was proven, those that wait for their household too."""
        self._doubtful: set[Visit] = set()
        """Visits whose device changed while its household was being asked for."""
        self._barred_until_s: dict[str, float] = {}
        self._waking: set[asyncio.Task[None]] = set()
        self._homeless: Assistant | None = None
        self._position: Position | None = None
        self.lending = Lending(own.assistant, self._devices)
        """Knows whose assistant answers on a device."""
        self.on_visit: Callable[[str, DeviceLink], Callable[[], None]] = lambda device, link: lambda: None
        """Called with a device that proved who it is and its link; returns what to call when it leaves."""

    # -- for gateways ------------------------------------------------------------------------------------------------

    def open(self, profile: DeviceProfile, link: DeviceLink) -> Conversation:
        """A conversation for one connection, in the household that its credentials or its device belong to."""
        if profile.household is None and not profile.proven:
            return self.own.hub.open(profile, link)
        return Visit(self, profile, link)

    @asynccontextmanager
    async def receive(self, visit: Visit) -> AsyncIterator[Conversation]:
        """The conversation of a visit in its household. Raises: StoreError, OverloadedError, NotFoundError."""
        device = visit.profile.device
        left = None
        if visit.profile.proven:
            self._devices.setdefault(device, set()).add(visit)
            left = self.on_visit(device, visit.link)
        try:
            household = self._visits[visit] = await self._household_of(visit)
            if visit.profile.proven:
                await self.lending.dress(visit)
            if household is None:
                yield LiveConversation(self._without_home(), visit.profile, visit.link)
                return
            async with self.using(household) as runtime:
                yield runtime.hub.open(visit.profile, visit.link)
        finally:
            if left is not None:
                left()
            self._visits.pop(visit, None)
            self._doubtful.discard(visit)
            self._devices.get(device, set()).discard(visit)
            if not self._devices.get(device, True):
                del self._devices[device]

    @asynccontextmanager
    async def using(self, household: str) -> AsyncIterator[HouseholdRuntime]:
        """A household, open until the end of the block. Raises: NotFoundError, StoreError, OverloadedError."""
        runtime = await self._opened(household)
        runtime.users += 1
        try:
            yield runtime
        finally:
            runtime.users -= 1
            self._used(runtime)

    def running(self) -> tuple[HouseholdRuntime, ...]:
        """The households that are open now."""
        return (self.own, *self._open.values())

    def where(self, device: str) -> HouseholdRuntime:
        """The household that a device which was proven talks to; the server's own for any other."""
        households = (self._visits.get(visit) for visit in self._devices.get(device, ()))
        return self._open.get(next(filter(None, households), HOME), self.own)

    async def dismiss(self, ring: str) -> None:
        """A device silenced what it rang by itself. Raises: StoreError."""
        for runtime in self.running():
            if await runtime.scheduler.dismiss(ring):
                return

    async def changed(self, household: str, what: str) -> None:
        """Take over what was changed in the database: "lists", "jobs", "rooms", "settings", or "erased".

        Raises: StoreError.
        """
        runtime = self.own if household == HOME else self._open.get(household)
        if what == "erased":
            await self.forget(household)
        elif runtime is not None and what == "lists":
            await runtime.lists.load()
        elif runtime is not None and what == "jobs":
            await runtime.scheduler.reload()
        elif runtime is not None and what in ("rooms", "settings") and household != HOME:
            await self._refresh(household)

    async def forget(self, household: str) -> None:
        """End the conversations of a household that is no more, or is about to be erased, and close it."""
        runtime = self._leave(household)
        for _ in range(round(LEAVE_S / LEAVE_LOOK_S)):
            if runtime is None or not runtime.users:
                break
            await asyncio.sleep(LEAVE_LOOK_S)
        if runtime is not None and self._open.get(household) is runtime:
            await self._closed(runtime)

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Wake households whose jobs are due, follow changes, and close those that are idle, for ever."""
        while True:
            try:
                await self.look()
            except EntendreError as error:
                log.warning("households could not be looked at", extra={"code": error.code})
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Do once what `run` does. Raises: StoreError."""
        news = await self.homes.news(self._position, self._clock.wall() + AHEAD_S)
        self._position = news.position
        self.lending.changed(news.brands)
        for device in news.devices & self._devices.keys():
            await self._check(device)
        for household in news.households & self._open.keys():
            await self._refresh(household)
        for household in news.due - self._open.keys() - {HOME}:
            if len(self._waking) < WAKING_AT_ONCE and self._barred_until_s.get(household, 0.0) <= self._now():
                self._wake(household)
        await self._close_idle()

    async def close(self) -> None:
        """Close every household but the server's own."""
        await self.lending.close()
        for task in self._waking:
            task.cancel()
        await asyncio.gather(*self._waking, *self._moving.values(), return_exceptions=True)
        for runtime in list(self._open.values()):
            await self._closed(runtime)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock.monotonic()

    async def _household_of(self, visit: Visit) -> str | None:
        """Whose home a visit is in. A device that moves meanwhile is asked for again."""
        profile = visit.profile
        if not profile.proven:
            return profile.household
        while True:
            self._doubtful.discard(visit)
            household = await self.homes.household_of(profile.device)
            if visit not in self._doubtful:
                return household

    def _without_home(self) -> Assistant:
        if self._homeless is None:
            self._homeless = homeless(self.own.assistant, self._code_of)
        return self._homeless

    async def _code_of(self, device: str) -> str | None:
        return None if self.claim_code is None else await self.claim_code(device)

    def _leave(self, household: str) -> HouseholdRuntime | None:
        """Let nobody into a household any more, and end the conversations that it has."""
        runtime = self._open.get(household)
        if runtime is not None:
            runtime.gone = True
        for visit in [visit for visit, where in self._visits.items() if where == household]:
            visit.expel()
        return runtime

    async def _check(self, device: str) -> None:
        """End the visits of a device that is in another household now."""
        self._doubtful |= self._devices[device] - self._visits.keys()
        household = await self.homes.household_of(device)
        for visit in self._devices.get(device, ()):
            if visit in self._visits and self._visits[visit] != household:
                log.info("a device has moved", extra={"device": device})
                visit.expel()

    async def _opened(self, household: str) -> HouseholdRuntime:
        if household == HOME:
            return self.own
        while True:
            moving = self._moving.get(household)
            if moving is not None:
                await asyncio.wait({moving})
            runtime = self._open.get(household)
            if runtime is not None and runtime.gone:
                raise NotFoundError("There is no such household.")
            if runtime is not None:
                return runtime
            if household not in self._moving:
                task = asyncio.create_task(self._opening(household), name=OPENING)
                self._move(household, task)
                opened = await asyncio.shield(task)
                if self._open.get(household) is opened and opened is not None:
                    return opened

    def _move(self, household: str, task: asyncio.Task[HouseholdRuntime | None]) -> None:
        self._moving[household] = task

        def moved(done: asyncio.Task[HouseholdRuntime | None]) -> None:
            del self._moving[household]
            if not done.cancelled():
                done.exception()  # seen: whoever waited may be gone

        task.add_done_callback(moved)

    async def _opening(self, household: str) -> HouseholdRuntime | None:
        await self._make_room()
        stored = await self.homes.home(household)
        if stored is None:
            raise NotFoundError("There is no such household.")
        runtime = self._make(self._plan_of(stored))
        try:
            await runtime.start()
        except BaseException:
            await runtime.close()
            raise
        self._open[household] = runtime
        return runtime

    async def _make_room(self) -> None:
        """Raises: OverloadedError while all that may be open are in use."""
        opening = sum(1 for task in self._moving.values() if task.get_name() == OPENING)
        while len(self._open) + opening > self._most:
            idle = next((each for each in self._open.values() if each.idle), None)
            if idle is None:
                raise OverloadedError("Too many homes are in use on this server. Try again.")
            await self._closed(idle)

    def _used(self, runtime: HouseholdRuntime) -> None:
        runtime.used_at_s = self._now()
        if self._open.get(runtime.id) is runtime:
            self._open[runtime.id] = self._open.pop(runtime.id)

    def _wake(self, household: str) -> None:
        task = asyncio.create_task(self._woken(household), name="wake-household")
        self._waking.add(task)
        task.add_done_callback(self._waking.discard)

    async def _woken(self, household: str) -> None:
        """Task root: a household that can't be opened is tried again later, and holds no other up."""
        try:
            async with self.using(household):
                self._barred_until_s.pop(household, None)
        except Exception as error:
            self._barred_until_s[household] = self._now() + TRY_AGAIN_S
            code = error.code if isinstance(error, EntendreError) else EntendreError.code
            unknown = not isinstance(error, EntendreError)
            log.warning("a household can't be woken", extra={"household": household, "code": code}, exc_info=unknown)

    async def _close_idle(self) -> None:
        oldest_s = self._now() - IDLE_S
        for runtime in list(self._open.values()):
            if runtime.idle and (runtime.gone or runtime.used_at_s <= oldest_s):
                await self._closed(runtime)

    async def _closed(self, runtime: HouseholdRuntime) -> None:
        """Close a household; who comes meanwhile waits and has it opened again."""
        self._open.pop(runtime.id, None)
        task = asyncio.create_task(self._closing(runtime), name="close-household")
        self._move(runtime.id, task)
        await asyncio.shield(task)

    async def _closing(self, runtime: HouseholdRuntime) -> None:
        await runtime.close()

    async def _refresh(self, household: str) -> None:
        """Take over a home that was changed; a household that is no more ends with its conversations."""
        stored = await self.homes.home(household)
        runtime = self._open.get(household)
        if stored is None:
            self._leave(household)
        elif runtime is not None:
            await runtime.become(self._plan_of(stored))
