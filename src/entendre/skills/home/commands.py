"""Switching, opening, locking, cleaning, scenes: commands whose value is in the verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from entendre.core.actions import Action, ActivateScene, SetTrait, Trait
from entendre.core.home import Appliance, name_in
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.home.targets import NOT_EVERYTHING, Target, describe, find
from entendre.skills.slots import flag, text

SURE = 0.9
"""Confidence below which letting somebody in is asked first."""

LETS_IN = frozenset({"lock", "garage_door", "gate", "door"})

Act = Callable[[Appliance], SetTrait | None]


def perform(
    request: Request,
    act: Act,
    reply: str,
    fallback_kinds: tuple[str, ...] = (),
    spared: frozenset[str] = NOT_EVERYTHING,
) -> Plan:
    """Plan one action for every appliance that the command is about."""
    target = find(request, lambda appliance: act(appliance) is not None, fallback_kinds, spared)
    if isinstance(target, Plan):
        return target
    actions = tuple(action for action in map(act, target.appliances) if action is not None)
    return guarded(request, target, actions) or _done(request, target, actions, reply)


def _done(request: Request, target: Target, actions: tuple[Action, ...], reply: str) -> Plan:
    if not any(appliance.available for appliance in target.appliances):
        return Plan(request.say("unavailable", what=describe(request, target)), refusal=True)
    return Plan(request.say(reply, what=describe(request, target)), actions)


def guarded(request: Request, target: Target, actions: tuple[SetTrait, ...]) -> Plan | None:
    """The question, or the refusal, that stands before letting somebody in; None when there is nothing to ask."""
    confirmed = request.command.slots.get("confirmed")
    if confirmed is False:
        return Plan(request.say("not_done"))
    by_id = {appliance.id: appliance for appliance in target.appliances}
    risky = [action for action in actions if _lets_in(action, by_id[action.appliance].kind)]
    if not risky or confirmed is True:
        return None
    if request.command.confidence >= SURE and len(risky) == 1:
        return None
    key = "confirm_unlock" if risky[0].trait is Trait.LOCKED else "confirm_open"
    question = request.say(key, what=describe(request, target))
    return Plan(question, expects_reply=True, refusal=True, question="confirmed")


def _lets_in(action: SetTrait, kind: str) -> bool:
    if kind not in LETS_IN:
        return False
    unlocks = action.trait is Trait.LOCKED and action.value is False
    opens = action.trait is Trait.POSITION and not isinstance(action.value, str) and action.value > 0
    return unlocks or opens


def turn_on(request: Request) -> Plan:
    """Switch on; what has no switch does what comes nearest."""
    return perform(request, lambda each: _switched_on(each) or _slid(each, 100), "turned_on", _switch_kinds(request))


def turn_off(request: Request) -> Plan:
    """Switch off; what has no switch does what comes nearest."""
    return perform(request, lambda each: _switched_off(each) or _slid(each, 0), "turned_off", _switch_kinds(request))


def _switch_kinds(request: Request) -> tuple[str, ...]:
    """A room alone means its lights, or whatever else can be switched there."""
    return ("light", "switch", "outlet", "fan", "tv", "appliance") if text(request, "room") else ("light",)


def _switched_on(appliance: Appliance) -> SetTrait | None:
    if Trait.ON in appliance.traits:
        return SetTrait(appliance.id, Trait.ON, True)
    mode = next((mode for mode in appliance.modes if mode != "off"), None)
    if Trait.MODE in appliance.traits and mode is not None:
        return SetTrait(appliance.id, Trait.MODE, mode)
    return _started(appliance, True)


def _switched_off(appliance: Appliance) -> SetTrait | None:
    if Trait.ON in appliance.traits:
        return SetTrait(appliance.id, Trait.ON, False)
    if Trait.MODE in appliance.traits and "off" in appliance.modes:
        return SetTrait(appliance.id, Trait.MODE, "off")
    return _started(appliance, False)


def _started(appliance: Appliance, running: bool) -> SetTrait | None:
    if Trait.CLEANING in appliance.traits:
        return SetTrait(appliance.id, Trait.CLEANING, running)
    if Trait.PLAYING in appliance.traits:
        return SetTrait(appliance.id, Trait.PLAYING, running)
    return None


def toggle(request: Request) -> Plan:
    """The opposite of each appliance's state."""

    def toggled(appliance: Appliance) -> SetTrait | None:
        for trait, on, off in ((Trait.ON, True, False), (Trait.POSITION, 100, 0), (Trait.LOCKED, True, False)):
            if trait in appliance.traits:
                return SetTrait(appliance.id, trait, off if appliance.state.get(trait) else on)
        return None

    return perform(request, toggled, "toggled", _switch_kinds(request))


_OPENABLE = ("blind", "curtain", "shutter", "cover")


def open_up(request: Request) -> Plan:
    """Open a cover, a gate or a valve; a door that only has a lock is unlocked."""
    return perform(request, lambda appliance: _moved(appliance, 100), "opened", _OPENABLE, LETS_IN | {"valve"})


def close(request: Request) -> Plan:
    """Close a cover, a gate or a valve."""
    return perform(request, lambda appliance: _moved(appliance, 0), "closed", _OPENABLE, frozenset({"valve"}))


def _slid(appliance: Appliance, percent: int) -> SetTrait | None:
    return SetTrait(appliance.id, Trait.POSITION, percent) if Trait.POSITION in appliance.traits else None


def _moved(appliance: Appliance, percent: int) -> SetTrait | None:
    if Trait.POSITION in appliance.traits:
        return _slid(appliance, percent)
    if Trait.LOCKED in appliance.traits and percent:
        return SetTrait(appliance.id, Trait.LOCKED, False)
    return None


def stop(request: Request) -> Plan:
    """Hold a cover where it is; end what runs."""

    def stopped(appliance: Appliance) -> SetTrait | None:
        position = appliance.state.get(Trait.POSITION)
        if appliance.kind == "valve":
            return _slid(appliance, 0)
        if Trait.POSITION in appliance.traits:
            return None if position is None else SetTrait(appliance.id, Trait.POSITION, position)
        return _started(appliance, False) or _switched_off(appliance)

    return perform(request, stopped, "stopped", _OPENABLE)


def lock(request: Request) -> Plan:
    """Lock one door, or every door when no single one is meant."""
    return perform(request, lambda appliance: _locked(appliance, True), "locked", ("lock", "door"))


def unlock(request: Request) -> Plan:
    """Unlock a door that is surely meant."""
    return perform(request, lambda appliance: _locked(appliance, False), "unlocked", ("lock", "door"))


def _locked(appliance: Appliance, locked: bool) -> SetTrait | None:
    return SetTrait(appliance.id, Trait.LOCKED, locked) if Trait.LOCKED in appliance.traits else None


def clean(request: Request) -> Plan:
    """Start a vacuum, wherever it stands."""
    return perform(anywhere(request), _setter(Trait.CLEANING, True), "cleaning", ("vacuum",))


def dock(request: Request) -> Plan:
    """Send a vacuum to its dock."""
    return perform(anywhere(request), _setter(Trait.CLEANING, False), "docking", ("vacuum",))


def oscillate(request: Request) -> Plan:
    """Let a fan swing, or hold it still."""
    swing = request.command.slots.get("value") is not False
    return perform(request, _setter(Trait.OSCILLATING, swing), "swinging" if swing else "still", ("fan",))


def mute(request: Request) -> Plan:
    """Mute an appliance, or give it its sound back."""
    muted = request.command.slots.get("value") is not False
    return perform(request, _setter(Trait.MUTED, muted), "muted" if muted else "unmuted", ("tv", "speaker"))


def play(request: Request) -> Plan:
    """Let an appliance play or pause."""
    playing = request.command.slots.get("value") is not False
    act = _setter(Trait.PLAYING, playing)
    rest = _setter(Trait.CLEANING, playing)
    reply = "playing" if playing else "paused"
    return perform(request, lambda appliance: act(appliance) or rest(appliance), reply, ("tv", "speaker"))


def anywhere(request: Request) -> Request:
    """The request without its room: what is said to be cleaned is not where the vacuum stands."""
    slots = {name: value for name, value in request.command.slots.items() if name != "room"}
    return replace(request, command=replace(request.command, slots=slots))


def _setter(trait: Trait, value: bool) -> Act:
    return lambda appliance: SetTrait(appliance.id, trait, value) if trait in appliance.traits else None


def scene(request: Request) -> Plan:
    """Run a scene of the home."""
    wanted = text(request, "scene")
    for known in request.world.home.scenes:
        if known.id == wanted:
            name = name_in(known.names, request.language)
            return Plan(request.say("scene", scene=name), (ActivateScene(known.id),))
    if flag(request, "name") or wanted:
        return Plan(request.say("no_scene", name=text(request, "name") or wanted), refusal=True)
    return Plan(request.say("which_scene"), expects_reply=True, refusal=True, question="scene")


def later(request: Request) -> Plan:
    """Say that only what is to be done at once can be done: never act now on what is meant for later."""
    return Plan(request.say("not_later"), refusal=True)
