"""One household at work: its home, lists, jobs and conversations, over engines that all households share."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from entendre.core.clock import Clock
from entendre.core.home import HOME, HomeSnapshot, Names
from entendre.core.plan import TimerView
from entendre.home.graph import HomeGraph
from entendre.home.lists import Lists
from entendre.home.pacing import Paced
from entendre.jobs.ring import Ring
from entendre.jobs.scheduler import Scheduler
from entendre.ports import Store
from entendre.session.api import TimerChanged
from entendre.session.assistant import Assistant
from entendre.session.household import LiveHousehold
from entendre.session.hub import Hub, RingRequest
from entendre.skills.planner import Planner

log = logging.getLogger(__name__)

RENAMED_EVERY_S = 0.5
"""Names are compiled at most this often: a broker announces hundreds of appliances in one go."""


@dataclass(frozen=True, slots=True)
class HouseholdPlan:
    """What a household is opened with. `language`: of what rings and does not say its own.

    `languages`: what its devices speak for which nobody chose; empty leaves it to them.
    """

    id: str
    home: HomeSnapshot
    language: str
    time_zone: str
    region: str = "home"
    languages: str = ""


class HouseholdRuntime:
    """A household that is open: `start` it, `close` it at the end. Use from one event loop."""

    def __init__(
        self,
        plan: HouseholdPlan,
        store: Store,
        clock: Clock,
        planner: Planner,
        assemble: Callable[[HouseholdRuntime], Assistant],
    ) -> None:
        """`planner` is that of its home; `assemble` gives it the shared engines.

        Raises: InvalidInputError for an unknown time zone.
        """
        self.id = plan.id
        self.language = plan.language
        self.clock = clock
        self.users = 0
        """Conversations and requests that hold it open."""
        self.used_at_s = clock.monotonic()
        self.gone = False
        """There is no such household any more: nobody may come."""
        self.graph = HomeGraph(plan.home)
        self.scheduler = Scheduler(store, clock, plan.time_zone, plan.region, prunes=plan.id == HOME)
        self.lists = Lists(store, self.graph.set_lists)
        self.hub = Hub()
        self.hub.languages = plan.languages
        self.planner = planner
        self.household = LiveHousehold(
            store=store,
            clock=clock,
            graph=self.graph,
            scheduler=self.scheduler,
            lists=self.lists,
            speaker_rooms=self.hub.rooms,
            rings_on=self.hub.rings_on,
        )
        self.on_close: list[Callable[[], Any]] = []
        """Asynchronous functions that let go of what `assemble` opened for this household alone."""
        self._renamed = Paced(lambda: self.planner.set_home(self.graph.snapshot()), RENAMED_EVERY_S)
        self.assistant = assemble(self)
        self.hub.attach(self.assistant)
        self._planned = plan.home
        self._jobs: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody would miss it: it can be closed, and opened again when somebody comes or something is due."""
        if self.gone:
            return not self.users
        waits = all(ring.kind == "reminder" for ring in self.scheduler.ringing())
        return not self.users and not self.hub.devices() and waits and not self.assistant.keeper.busy

    async def start(self) -> None:
        """Read the household's rows and ring what is due. Raises: StoreError."""
        await self.scheduler.load()
        await self.lists.load()
        await self.lists.seed(self._planned.lists)
        if _names(self.graph.snapshot()) != _names(self._planned):
            self.planner.set_home(self.graph.snapshot())
        self.graph.on_names_changed(self._renamed)
        self.hub.on_sounded = lambda ring, device: self._keep(self.scheduler.delivered(ring, device))
        self.scheduler.subscribe(self._ring, lambda ring: self.hub.stop_ring(ring.id))
        self.scheduler.subscribe_timers(self._show_timer)
        self._jobs = asyncio.create_task(self.scheduler.run(), name="jobs")
        self._jobs.add_done_callback(_report)

    async def close(self) -> None:
        """Finish what was accepted; nothing that was acknowledged is lost."""
        if self._jobs is not None:
            self._jobs.cancel()
            await asyncio.gather(self._jobs, return_exceptions=True)
        self._renamed.close()
        await self.assistant.keeper.close()
        await self.lists.close()
        await self.scheduler.close()
        for let_go in self.on_close:
            await let_go()

    async def become(self, plan: HouseholdPlan) -> None:
        """Take another home, language or time zone, while it runs. Raises: InvalidInputError, StoreError."""
        self.language, self.hub.languages = plan.language, plan.languages
        if plan.home != self._planned:
            self._planned = plan.home
            self.graph.replace(plan.home)
            await self.lists.seed(plan.home.lists)
        if plan.time_zone != self.scheduler.time_zone:
            await self.scheduler.set_time_zone(plan.time_zone)

    @property
    def spoken(self) -> str:
        """What is spoken where nobody says otherwise: a language tag, or a few with commas between."""
        return self.hub.languages or self.language

    def timers(self) -> tuple[TimerView, ...]:
        """Every timer of the household, as it is now."""
        return self.scheduler.timers(datetime.fromtimestamp(self.clock.wall(), UTC))

    def _keep(self, work: Any) -> None:
        self.assistant.keeper.start(work, "note")

    def _ring(self, ring: Ring) -> None:
        language, time = ring.language or self.language, ring.due.strftime("%H:%M")
        text = self.planner.phrase(f"{ring.kind}_rings", language, name=ring.name or "", time=time)
        if not self.hub.ring(RingRequest(ring.id, ring.kind, ring.name, text, ring.device, ring.language)):
            log.warning("nothing to ring on is connected", extra={"kind": ring.kind, "device": ring.device})

    def _show_timer(self, timer: TimerView, change: str) -> None:
        if timer.device is not None:
            shown = (timer.id, change, timer.name, timer.total_s, timer.remaining_s, timer.paused)
            self.hub.notify(timer.device, TimerChanged(*shown))


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("%s stopped", task.get_name(), exc_info=task.exception())


def _names(home: HomeSnapshot) -> list[tuple[str, Names]]:
    """The lists of a home by name: those of the database may have others than its document."""
    return [(each.id, each.names) for each in home.lists]
