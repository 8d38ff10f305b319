"""The live home: commands, steps, scenes, subscriptions."""

from __future__ import annotations

import pytest

from entendre.core.actions import ActivateScene, AdjustTrait, SetTrait, Trait, TraitValue
from entendre.core.errors import (
    ActionError,
    InvalidInputError,
    UnavailableError,
    UnknownTargetError,
    UnsupportedActionError,
)
from entendre.core.home import Appliance, Room, Scene
from entendre.home import HomeGraph, demo_home


def state(graph: HomeGraph, appliance: str) -> dict[Trait, TraitValue]:
    return dict(next(each.state for each in graph.snapshot().appliances if each.id == appliance))


class Recorder:
    """A connector that keeps its commands."""

    name = "recorder"

    def __init__(self) -> None:
        self.commands: list[tuple[object, ...]] = []

    async def set_trait(self, appliance: str, trait: Trait, value: TraitValue) -> None:
        self.commands.append((appliance, trait, value))

    async def activate_scene(self, scene: str) -> None:
        self.commands.append((scene,))


LAMP = Appliance("hue", "light", {"": ("hue",)}, "kitchen", frozenset({Trait.ON, Trait.BRIGHTNESS}))


async def test_simulated_appliances_take_commands_and_what_they_imply() -> None:
    graph = HomeGraph(demo_home())
    await graph.execute(SetTrait("floor_lamp", Trait.BRIGHTNESS, 40))
    assert (state(graph, "floor_lamp")[Trait.ON], state(graph, "floor_lamp")[Trait.BRIGHTNESS]) == (True, 40)
    await graph.execute(SetTrait("air_conditioner", Trait.MODE, "cool"))
    assert state(graph, "air_conditioner")[Trait.ON] is True
    await graph.execute(SetTrait("floor_lamp", Trait.BRIGHTNESS, 0))
    assert state(graph, "floor_lamp")[Trait.ON] is False


@pytest.mark.parametrize(
    ("action", "value"),
    [
        (AdjustTrait("kitchen_ceiling", Trait.BRIGHTNESS, -30), 70),
        (AdjustTrait("kitchen_ceiling", Trait.BRIGHTNESS, 30), 100),
        (AdjustTrait("floor_lamp", Trait.BRIGHTNESS, 20), 20),
        (AdjustTrait("thermostat", Trait.TEMPERATURE, 1.5), 22.5),
        (AdjustTrait("thermostat", Trait.TEMPERATURE, 50), 35),
        (AdjustTrait("bedroom_curtains", Trait.POSITION, -10), 0),
    ],
)
def test_steps_become_absolute(action: AdjustTrait, value: float) -> None:
    assert HomeGraph(demo_home()).resolve(action) == SetTrait(action.appliance, action.trait, value)


async def test_a_resolved_step_may_be_repeated() -> None:
    graph = HomeGraph(demo_home())
    once = graph.resolve(AdjustTrait("tv", Trait.VOLUME, 10))
    await graph.execute(once)
    await graph.execute(once)
    assert state(graph, "tv")[Trait.VOLUME] == 35


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (SetTrait("nothing", Trait.ON, True), UnknownTargetError),
        (ActivateScene("nothing"), UnknownTargetError),
        (SetTrait("front_door", Trait.BRIGHTNESS, 10), UnsupportedActionError),
        (SetTrait("bedroom_climate", Trait.CURRENT_TEMPERATURE, 10), UnsupportedActionError),
        (SetTrait("floor_lamp", Trait.BRIGHTNESS, 101), UnsupportedActionError),
        (AdjustTrait("front_door", Trait.LOCKED, 1), UnsupportedActionError),
    ],
)
async def test_what_cannot_be_done_is_refused_and_changes_nothing(action: SetTrait, error: type[ActionError]) -> None:
    graph = HomeGraph(demo_home())
    before = graph.snapshot()
    with pytest.raises(error):
        await graph.execute(action)
    assert graph.snapshot() is before


async def test_an_unavailable_appliance_is_refused() -> None:
    graph = HomeGraph(demo_home())
    graph.set_available("tv", False)
    with pytest.raises(UnavailableError):
        await graph.execute(SetTrait("tv", Trait.ON, True))
    graph.set_available("tv", True)
    await graph.execute(SetTrait("tv", Trait.ON, True))
    assert state(graph, "tv")[Trait.ON] is True


async def test_a_connector_gets_commands_and_state_waits_for_its_report() -> None:
    graph, connector = HomeGraph(), Recorder()
    graph.put_appliance(LAMP, connector)
    graph.put_scene(Scene("night", {"": ("night",)}), connector)
    await graph.execute(SetTrait("hue", Trait.ON, True))
    await graph.execute(ActivateScene("night"))
    assert connector.commands == [("hue", Trait.ON, True), ("night",)]
    assert state(graph, "hue") == {}
    graph.report("hue", {Trait.ON: True, Trait.LOCKED: True})
    assert state(graph, "hue") == {Trait.ON: True}


def test_an_id_belongs_to_who_had_it_first() -> None:
    graph = HomeGraph(demo_home())
    taken = Appliance("tv", "light", {"": ("tv",)})
    with pytest.raises(InvalidInputError):
        graph.put_appliance(taken, Recorder())


async def test_scene_applies_its_states_and_goes_on_after_a_failure() -> None:
    graph = HomeGraph(demo_home())
    graph.set_available("living_room_ceiling", False)
    with pytest.raises(UnavailableError):
        await graph.execute(ActivateScene("movie_time"))
    assert state(graph, "living_room_blinds")[Trait.POSITION] == 0
    assert state(graph, "tv")[Trait.ON] is True


async def test_listeners_hear_state_and_names() -> None:
    graph = HomeGraph(demo_home())
    changes: list[object] = []
    stop = graph.on_state_changed(lambda appliance, changed: changes.append((appliance, dict(changed))))
    graph.on_names_changed(lambda: changes.append("names"))
    await graph.execute(SetTrait("tv", Trait.ON, True))
    await graph.execute(SetTrait("tv", Trait.ON, True))
    assert changes == [("tv", {Trait.ON: True})]
    stop()
    await graph.execute(SetTrait("tv", Trait.ON, False))
    graph.put_room(Room("attic", {"": ("attic",)}))
    graph.put_appliance(LAMP, Recorder())
    graph.remove_appliance("hue")
    graph.remove_appliance("hue")
    assert changes[1:] == ["names", "names", "names"]


def test_snapshot_is_the_same_object_until_something_changes() -> None:
    graph = HomeGraph(demo_home())
    first = graph.snapshot()
    assert graph.snapshot() is first
    graph.report("tv", {Trait.ON: True})
    assert graph.snapshot() is not first
    assert graph.snapshot().floors == first.floors
