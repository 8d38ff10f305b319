"""The live home: what exists, what state it is in, and who carries out commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

from entendre.core.actions import ActivateScene, AdjustTrait, SetTrait, Trait, TraitValue
from entendre.core.errors import ActionError, InvalidInputError, UnavailableError, UnknownTargetError
from entendre.core.errors import UnsupportedActionError as Unsupported
from entendre.core.home import Appliance, HomeSnapshot, ItemList, Room, Scene
from entendre.home.traits import RULES, bounds, canonical, implied, whole

StateListener = Callable[[str, Mapping[Trait, TraitValue]], None]
NamesListener = Callable[[], None]
Listener = TypeVar("Listener")

_STEP_BASE = 50.0
"""Where a relative step starts when nothing is known about the trait: the middle of a percent range."""


class Connector(Protocol):
    """What carries commands to real appliances and reports their state to the graph."""

    name: str

    async def set_trait(self, appliance: str, trait: Trait, value: TraitValue) -> None:
        """Send one command. Raises: ActionError."""
        ...

    async def activate_scene(self, scene: str) -> None:
        """Run a scene that this connector registered. Raises: ActionError."""
        ...


class HomeGraph:
    """Rooms, appliances and scenes with their state. Use from one event loop.

    An appliance without a connector is simulated: it takes what it is told at once.
    """

    def __init__(self, snapshot: HomeSnapshot | None = None) -> None:
        base = snapshot or HomeSnapshot()
        self._base = base
        self._rooms = {room.id: room for room in base.rooms}
        self._appliances = {appliance.id: appliance for appliance in base.appliances}
        self._scenes = {scene.id: scene for scene in base.scenes}
        self._lists = base.lists
        self._owners: dict[str, Connector] = {}
        self._scene_owners: dict[str, Connector] = {}
        self._state_listeners: list[StateListener] = []
        self._names_listeners: list[NamesListener] = []
        self._cached: HomeSnapshot | None = base

    def snapshot(self) -> HomeSnapshot:
        """The home at this moment; the same object until something changes."""
        if self._cached is None:
            self._cached = replace(
                self._base,
                rooms=tuple(self._rooms.values()),
                appliances=tuple(self._appliances.values()),
                scenes=tuple(self._scenes.values()),
                lists=self._lists,
            )
        return self._cached

    def replace(self, snapshot: HomeSnapshot) -> None:
        """Become another home; an appliance that stays the same keeps its state, and lists stay as they are."""
        known = self._appliances
        self._base = snapshot
        self._rooms = {room.id: room for room in snapshot.rooms}
        self._appliances = {each.id: _as_it_was(each, known.get(each.id)) for each in snapshot.appliances}
        self._scenes = {scene.id: scene for scene in snapshot.scenes}
        self._changed(names=True)

    def on_state_changed(self, listener: StateListener) -> Callable[[], None]:
        """Call `listener(appliance, changed traits)` after each change; returns how to stop."""
        return _subscribe(self._state_listeners, listener)

    def on_names_changed(self, listener: NamesListener) -> Callable[[], None]:
        """Call `listener()` when rooms, appliances or scenes come, go or are renamed; returns how to stop."""
        return _subscribe(self._names_listeners, listener)

    def put_room(self, room: Room) -> None:
        """Add or replace a room."""
        if self._rooms.get(room.id) != room:
            self._rooms[room.id] = room
            self._changed(names=True)

    def put_appliance(self, appliance: Appliance, connector: Connector | None = None) -> None:
        """Add or replace an appliance; its commands go to `connector`.

        Raises: InvalidInputError if another connector, or the home document, has this id.
        """
        before = self._appliances.get(appliance.id)
        if before is not None and self._owners.get(appliance.id) is not connector:
            raise InvalidInputError(f"appliance id {appliance.id!r} is already taken")
        if connector is not None:
            self._owners[appliance.id] = connector
        self._appliances[appliance.id] = appliance
        self._changed(names=before is None or _described(before) != _described(appliance))

    def remove_appliance(self, appliance: str) -> None:
        """Forget an appliance; unknown ids are fine."""
        self._owners.pop(appliance, None)
        if self._appliances.pop(appliance, None) is not None:
            self._changed(names=True)

    def put_scene(self, scene: Scene, connector: Connector | None = None) -> None:
        """Add or replace a scene; without a connector its own `states` are applied."""
        if connector is not None:
            self._scene_owners[scene.id] = connector
        if self._scenes.get(scene.id) != scene:
            self._scenes[scene.id] = scene
            self._changed(names=True)

    def remove_scene(self, scene: str) -> None:
        """Forget a scene; unknown ids are fine."""
        self._scene_owners.pop(scene, None)
        if self._scenes.pop(scene, None) is not None:
            self._changed(names=True)

    def set_lists(self, lists: tuple[ItemList, ...]) -> None:
        """Show these lists of the household in the snapshot."""
        if lists != self._lists:
            names = [(each.id, each.names) for each in lists] != [(each.id, each.names) for each in self._lists]
            self._lists = lists
            self._changed(names=names)

    def report(self, appliance: str, values: Mapping[Trait, TraitValue]) -> None:
        """Take in state that was observed; unknown appliances and traits that it lacks are passed over.

        Raises: ValueError for a value outside of its trait's range.
        """
        known = self._appliances.get(appliance)
        if known is None:
            return
        fresh = {trait: canonical(trait, value) for trait, value in values.items() if trait in known.traits}
        changed = {trait: value for trait, value in fresh.items() if known.state.get(trait) != value}
        if not changed:
            return
        self._appliances[appliance] = replace(known, state={**known.state, **changed})
        self._changed()
        for listener in tuple(self._state_listeners):
            listener(appliance, changed)

    def set_available(self, appliance: str, available: bool) -> None:
        """Whether the appliance can be reached."""
        known = self._appliances.get(appliance)
        if known is not None and known.available != available:
            self._appliances[appliance] = replace(known, available=available)
            self._changed()

    def resolve(self, action: SetTrait | AdjustTrait) -> SetTrait:
        """The absolute command of an action, so that repeating it changes nothing more.

        Raises: UnknownTargetError, UnsupportedActionError.
        """
        appliance = self._find(action)
        if isinstance(action, AdjustTrait):
            return SetTrait(action.appliance, action.trait, self._stepped(appliance, action))
        try:
            return SetTrait(action.appliance, action.trait, canonical(action.trait, action.value))
        except ValueError as error:
            raise Unsupported(detail=f"{action.trait} of {action.appliance} {error}") from error

    async def execute(self, action: SetTrait | AdjustTrait | ActivateScene) -> None:
        """Carry out one action.

        Raises: UnknownTargetError, UnsupportedActionError, UnavailableError, ActionError.
        """
        if isinstance(action, ActivateScene):
            await self._activate(action.scene)
            return
        await self._set(self.resolve(action))

    async def _set(self, action: SetTrait) -> None:
        appliance = self._find(action)
        if not appliance.available:
            raise UnavailableError(detail=f"{action.appliance} is not available")
        owner = self._owners.get(action.appliance)
        if owner is not None:
            await owner.set_trait(action.appliance, action.trait, action.value)
            return
        self.report(
            action.appliance, {**implied(action.trait, action.value, appliance.traits), action.trait: action.value}
        )

    async def _activate(self, scene_id: str) -> None:
        scene = self._scenes.get(scene_id)
        if scene is None:
            raise UnknownTargetError(detail=f"no scene {scene_id!r}")
        owner = self._scene_owners.get(scene_id)
        if owner is not None:
            await owner.activate_scene(scene_id)
            return
        failures: list[ActionError] = []
        for appliance, state in scene.states.items():
            for trait, value in state.items():
                try:
                    await self._set(self.resolve(SetTrait(appliance, trait, value)))
                except ActionError as error:
                    failures.append(error)
        if failures:
            raise failures[0]

    def _find(self, action: SetTrait | AdjustTrait) -> Appliance:
        appliance = self._appliances.get(action.appliance)
        if appliance is None:
            raise UnknownTargetError(detail=f"no appliance {action.appliance!r}")
        if action.trait not in appliance.traits or not RULES[action.trait].writable:
            raise Unsupported(detail=f"{action.appliance} has no {action.trait} to set")
        return appliance

    def _stepped(self, appliance: Appliance, action: AdjustTrait) -> TraitValue:
        if RULES[action.trait].type != "number":
            raise Unsupported(detail=f"{action.trait} has no steps")
        low, high = bounds(action.trait, self._base.temperature_unit)
        value = self._step_from(appliance, action.trait) + action.delta
        return whole(min(max(value, low), high))

    def _step_from(self, appliance: Appliance, trait: Trait) -> float:
        """The value that a step starts from; a light that is off starts from dark."""
        off = appliance.state.get(Trait.ON) is False
        if off and trait in (Trait.BRIGHTNESS, Trait.SPEED):
            return 0.0
        value = appliance.state.get(trait)
        if value is None and trait is Trait.TEMPERATURE:
            value = appliance.state.get(Trait.CURRENT_TEMPERATURE, 20 if self._base.temperature_unit == "C" else 68)
        if value is None and trait is Trait.COLOR_TEMPERATURE:
            value = 3500
        return float(value) if isinstance(value, int | float) else _STEP_BASE

    def _changed(self, *, names: bool = False) -> None:
        self._cached = None
        if names:
            for listener in tuple(self._names_listeners):
                listener()


def _as_it_was(appliance: Appliance, before: Appliance | None) -> Appliance:
    if before is None or _described(before) != _described(appliance):
        return appliance
    return replace(appliance, state=before.state)


def _described(appliance: Appliance) -> tuple[object, ...]:
    return (appliance.kind, appliance.names, appliance.room, appliance.traits, appliance.modes)


def _subscribe(listeners: list[Listener], listener: Listener) -> Callable[[], None]:
    listeners.append(listener)

    def stop() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return stop
