"""Broadcast: say something on the other speakers of the home."""

from __future__ import annotations

from entendre.core.actions import EVERYWHERE, Broadcast
from entendre.core.home import name_in
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.slots import flag, text


class BroadcastSkill:
    """Plans announcements."""

    name = "broadcast"
    intents = frozenset({"Broadcast"})

    async def plan(self, request: Request) -> Plan:
        """An announcement everywhere or in one room."""
        if flag(request, "of_us"):
            return Plan(request.say("broadcast_of_us"), refusal=True)
        message = text(request, "text")
        room = text(request, "room")
        if message is None or (flag(request, "bare") and _is_a_thing(request, message)):
            return Plan(request.say("broadcast_ask"), expects_reply=True, question="text")
        if room is None or room == EVERYWHERE:
            return Plan(request.say("broadcast_everywhere"), (Broadcast(message),))
        names = {known.id: name_in(known.names, request.language) for known in request.world.home.rooms}
        spoken = names.get(room, room)
        with_speakers = request.world.rooms_with_speakers
        if with_speakers and room not in with_speakers:
            return Plan(request.say("broadcast_no_speaker", room=spoken), refusal=True)
        return Plan(request.say("broadcast_room", room=spoken), (Broadcast(message, room),))


def _is_a_thing(request: Request, words: str) -> bool:
    """Whether words are a thing to announce ("the winner") rather than an announcement ("the bus is here")."""
    nouns, said = request.terms("nouns"), words.casefold().split()
    begins = said[0] in nouns.get("lead", "").split("|")
    verbs = nouns.get("verbs", "").split("|")
    return begins and not any(word in verbs or word.endswith("'s") for word in said)


SKILL = BroadcastSkill()
