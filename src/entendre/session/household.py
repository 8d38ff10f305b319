"""The household's state as sessions use it: the world that planning reads, and each action done once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from entendre.core.actions import (
    Action,
    ActivateScene,
    AddItem,
    AdjustTrait,
    ChangeAlarm,
    ChangeReminder,
    ChangeTimer,
    ClearList,
    CompleteItem,
    ControlMedia,
    CreateAlarm,
    CreateReminder,
    RemoveItem,
    SetTrait,
    StartTimer,
    StopRinging,
    Trait,
    action_from_json,
    action_to_json,
)
from entendre.core.clock import Clock
from entendre.core.errors import ActionError, UnsupportedActionError
from entendre.core.home import Room, all_names, plain_name
from entendre.core.plan import DeviceView, Mentioned, World
from entendre.home.graph import HomeGraph
from entendre.home.lists import Lists
from entendre.jobs.scheduler import Scheduler
from entendre.ports import ActionKey, Store
from entendre.session.assistant import MissedRing

_JOBS = (StartTimer, ChangeTimer, CreateAlarm, ChangeAlarm, CreateReminder, ChangeReminder)
_LISTS = (AddItem, RemoveItem, CompleteItem, ClearList)


class LiveHousehold:
    """Implements `session.assistant.Household` over the home graph, the scheduler, the lists and the store."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        graph: HomeGraph,
        scheduler: Scheduler,
        lists: Lists,
        speaker_rooms: Callable[[], tuple[str, ...]],
        rings_on: Callable[[str], frozenset[str]],
    ) -> None:
        self._store = store
        self._clock = clock
        self.graph = graph
        self.scheduler = scheduler
        self.lists = lists
        self._speaker_rooms = speaker_rooms
        self._rings_on = rings_on
        self._rooms_of: tuple[Room, ...] = ()
        self._room_ids: dict[str, str] = {}

    def world(self, device: DeviceView, mentioned: Mentioned) -> World:
        """Everything that planning may read, now."""
        now = datetime.fromtimestamp(self._clock.wall(), ZoneInfo(self.scheduler.time_zone))
        return World(
            now=now,
            home=self.graph.snapshot(),
            device=device,
            timers=self.scheduler.timers(now),
            alarms=self.scheduler.alarms(now),
            reminders=self.scheduler.reminders(now),
            mentioned=mentioned,
            rooms_with_speakers=self._speaker_rooms(),
        )

    def missed(self) -> tuple[MissedRing, ...]:
        """What rang while nobody could hear it."""
        rings = self.scheduler.missed()
        return tuple(MissedRing(each.id, each.kind, each.name, each.due.strftime("%H:%M")) for each in rings)

    async def report_missed(self, rings: Sequence[MissedRing]) -> None:
        """Somebody was told of these. Raises: StoreError."""
        told = {each.id for each in rings}
        await self.scheduler.report_missed([each for each in self.scheduler.missed() if each.id in told])

    async def execute(self, action: Action, *, turn: str, index: int, device: str, language: str) -> None:
        """Do one action of a committed turn, once per `(turn, index)`. Raises: ActionError, StoreError."""
        if isinstance(action, _JOBS):
            await self.scheduler.execute(action, turn=turn, index=index, device=device, language=language)
        elif isinstance(action, _LISTS):
            await self.lists.execute(action, turn=turn, index=index, language=language)
        elif isinstance(action, StopRinging):
            await self._stop_ringing(action, device, turn, index)
        elif isinstance(action, ControlMedia):
            await self._execute_at_home(_as_trait(action), ActionKey(turn, index))
        elif isinstance(action, SetTrait | AdjustTrait | ActivateScene):
            await self._execute_at_home(action, ActionKey(turn, index))
        else:
            raise ActionError(detail=f"no household action: {action.type}")

    async def begin(self, action: Action, *, turn: str, index: int) -> bool:
        """Whether an action that others do is to be done: not if it was done before. Raises: StoreError."""
        begun = await self._store.begin_action(ActionKey(turn, index), json.dumps(action_to_json(action)))
        return begun is None or begun.state != "done"

    async def finish(self, *, turn: str, index: int, result: str = "true") -> None:
        """Note that a begun action was done; `result` is JSON. Raises: StoreError."""
        await self._store.finish_action(ActionKey(turn, index), result)

    async def result(self, *, turn: str, index: int) -> str:
        """The result that was noted of an action that was done. Raises: StoreError."""
        record = await self._store.executed(ActionKey(turn, index))
        return record.result if record is not None else "null"

    def room_named(self, name: str) -> str:
        """The id of the home's room that goes by a name or id; the name itself if there is none."""
        rooms = self.graph.snapshot().rooms
        if rooms is not self._rooms_of:
            self._rooms_of = rooms
            self._room_ids = {plain_name(each): room.id for room in rooms for each in all_names(room.names)}
            self._room_ids |= {room.id: room.id for room in rooms}
        return self._room_ids.get(name) or self._room_ids.get(plain_name(name), name)

    async def _stop_ringing(self, action: StopRinging, device: str, turn: str, index: int) -> None:
        """Silence what rings now; a retry must not silence what began to ring since."""
        if await self.begin(action, turn=turn, index=index):
            for ring in self._rings_on(device):
                await self.scheduler.dismiss(ring)
            await self.scheduler.stop_ringing(device)
            await self.finish(turn=turn, index=index)

    async def _execute_at_home(self, action: SetTrait | AdjustTrait | ActivateScene, key: ActionKey) -> None:
        """Note the absolute command before sending it, so that a retry repeats that and never steps twice."""
        absolute = action if isinstance(action, ActivateScene) else self.graph.resolve(action)
        begun = await self._store.begin_action(key, json.dumps(action_to_json(absolute)))
        if begun is not None and begun.state == "done":
            return
        noted = action_from_json(json.loads(begun.action)) if begun is not None else absolute
        assert isinstance(noted, SetTrait | ActivateScene)
        await self.graph.execute(noted)
        await self._store.finish_action(key, "true")


def _as_trait(action: ControlMedia) -> SetTrait:
    """What an appliance of the home understands of a media command. Raises: UnsupportedActionError."""
    plays = {"play": True, "resume": True, "pause": False, "stop": False}.get(action.command)
    if plays is None or action.appliance is None or action.query is not None:
        raise UnsupportedActionError(detail=f"an appliance can't {action.command} {action.query or ''}")
    return SetTrait(action.appliance, Trait.PLAYING, plays)
