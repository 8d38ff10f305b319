"""Home control and questions about the home's state."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.home import answers, commands, levels

Planner = Callable[[Request], Plan]

PLANNERS: Mapping[str, Planner] = {
    "HomeTurnOn": commands.turn_on,
    "HomeTurnOff": commands.turn_off,
    "HomeToggle": commands.toggle,
    "HomeOpen": commands.open_up,
    "HomeClose": commands.close,
    "HomeStop": commands.stop,
    "HomeLock": commands.lock,
    "HomeUnlock": commands.unlock,
    "HomeClean": commands.clean,
    "HomeDock": commands.dock,
    "HomeOscillate": commands.oscillate,
    "HomeMute": commands.mute,
    "HomePlay": commands.play,
    "HomeScene": commands.scene,
    "HomeLater": commands.later,
    "HomeSet": levels.set_level,
    "HomeAdjust": levels.adjust,
    "HomeAskState": answers.ask_state,
    "HomeAskValue": answers.ask_value,
}


class HomeSkill:
    """Plans everything about appliances and scenes; one action per appliance."""

    name = "home"
    intents = frozenset(PLANNERS)
    puts_off = frozenset({"HomeLater"})
    by_sound = intents - {"HomeLock", "HomeUnlock", "HomeLater"}

    async def plan(self, request: Request) -> Plan:
        """A plan for one home command."""
        return PLANNERS[request.command.intent](request)


SKILL = HomeSkill()
