"""Small talk about itself: what it can do, who it is, greetings and thanks."""

from __future__ import annotations

from entendre.core.plan import Plan
from entendre.skills.base import Request

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
NAME = "Entendre"
"""What the assistant is called where nobody gave it a name."""


class AboutSkill:
    """Answers in a sentence."""

    name = "about"
    intents = frozenset(_REPLIES)
    small_talk = intents - {"AboutAbilities"}

    async def plan(self, request: Request) -> Plan:
        """One reply, always the same but for the assistant's name."""
        return Plan(request.say(_REPLIES[request.command.intent], name=request.world.device.assistant or NAME))


SKILL = AboutSkill()
