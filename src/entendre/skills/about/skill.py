"""Small talk about itself: what it can do, who it is, greetings and thanks."""

from __future__ import annotations

from entendre.core.actions import ActivateScene
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.slots import has_name

_REPLIES = {
    "AboutAbilities": "about_abilities",
    "AboutName": "about_name",
    "AboutPrivacy": "about_privacy",
    "AboutMood": "about_mood",
    "AboutThanks": "about_thanks",
    "AboutHello": "about_hello",
    "AboutGoodMorning": "about_good_morning",
    "AboutGoodNight": "about_good_night",
    "AboutGoodbye": "about_goodbye",
    "AboutPraise": "about_praise",
    "AboutSorry": "about_sorry",
}


class AboutSkill:
    """Answers in a sentence; a greeting that names a scene of the home runs it."""

    name = "about"
    intents = frozenset(_REPLIES)

    async def plan(self, request: Request) -> Plan:
        """One reply, with a scene when the greeting is its name."""
        reply = request.say(_REPLIES[request.command.intent])
        said = request.command.text
        scenes = [scene.id for scene in request.world.home.scenes if said and has_name(scene.names, said)]
        return Plan(reply, tuple(ActivateScene(scene) for scene in scenes[:1]))


SKILL = AboutSkill()
