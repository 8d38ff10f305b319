"""From a sentence to a plan: understanding, the skill that answers, several commands, and what comes after."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from entendre.core.actions import Action, AdjustTrait, CallDeviceTool, ControlMedia, SetTrait
from entendre.core.home import HomeSnapshot
from entendre.core.plan import Mentioned, Plan, World
from entendre.core.understanding import Command, Completeness, Understanding
from entendre.language.understander import Understander
from entendre.markets.loader import load_pack
from entendre.skills.base import Request
from entendre.skills.languages import Languages
from entendre.skills.plugins import BrokenPlugin, LoadedSkills, Plugin, load_skills
from entendre.skills.speech import known_language
from entendre.skills.tools import DeviceTools, spoken_answer

if TYPE_CHECKING:
    from entendre.config import Settings, SkillSettings

log = logging.getLogger(__name__)

PLAN_TIMEOUT_S = 3.0
"""A skill that takes longer is answered for with an apology; people have stopped waiting."""

CONFIRM_BELOW = 0.66
"""Confidence under which a command that would act is asked back first."""

SURE = 0.9
OPEN_ANSWER_CONFIDENCE = 0.9
OPEN_SLOTS = frozenset({"name", "text", "item", "query"})
"""Slots of free words: an answer to a question for one of these is taken as it is."""

CONFIRM = "confirm"
CONFIRMED = "confirmed"


Respelling = Callable[[str, World], Understanding | None]


class Planner:
    """Understands and plans in every language that has a pack and sentences. Reads, never writes."""

    def __init__(self, skills: LoadedSkills, home: HomeSnapshot, default_language: str = "en") -> None:
        """Compile the default language; others follow when they are first spoken.

        Raises: ConfigurationError when the default language has no pack, InvalidInputError for its built-in sentences.
        """
        self._languages = Languages(skills, default_language)
        self._by_intent = skills.by_intent
        self._tools = DeviceTools(load_pack)
        self._home = home
        self._understanders: dict[str, Understander] = {}
        self._understander(known_language(default_language))

    @classmethod
    def load(cls, settings: Settings, home: HomeSnapshot) -> Planner:
        """The planner of a server's settings: built-in skills and those of the owner's folder."""
        folders = [settings.skills.folder] if settings.skills.folder else []
        weather = weather_settings(settings.skills)
        return cls(load_skills(folders, {"weather": weather}), home, settings.language)

    @property
    def languages(self) -> frozenset[str]:
        """Languages that can be understood."""
        return self._languages.tags

    @property
    def broken(self) -> tuple[BrokenPlugin, ...]:
        """Skills that were left out, and why."""
        return self._languages.broken

    def prepare(self, languages: Sequence[str]) -> None:
        """Have languages ready that will be spoken soon, without waiting for them."""
        for language in languages:
            self._languages.prepare(known_language(language))

    def close(self) -> None:
        """Prepare nothing any more, for any home, and wait for what is being prepared. Takes seconds."""
        self._languages.close()

    async def ready(self, languages: Sequence[str]) -> None:
        """Wait for languages that are being prepared, while other conversations go on."""
        for language in languages:
            coming = self._languages.prepare(known_language(language))
            if coming is not None:
                await asyncio.shield(asyncio.wrap_future(coming))

    def at(self, home: HomeSnapshot) -> Planner:
        """The same sentences and skills for another home; costs nothing before its first sentence."""
        other = copy(self)
        other._understanders = {}
        other._home = home
        return other

    def set_home(self, home: HomeSnapshot) -> None:
        """Use another home's names from the next sentence on."""
        self._home = home
        known, self._understanders = tuple(self._understanders), {}
        for language in known:
            self._understander(language)

    def understand(self, text: str, language: str, world: World, alternatives: Sequence[str] = ()) -> Understanding:
        """What a sentence means; no commands in a language that nobody taught it.

        `alternatives` are other readings of what was said; `text` of the outcome is the one that counts.
        """
        understander = self._understander(known_language(language))
        if understander is None:
            return Understanding(text, language)
        readings = () if world.mentioned.question in OPEN_SLOTS else alternatives
        understanding = understander.understand(text, world, alternatives=readings)
        if understanding.text != text and self._is_small_talk(understanding):
            understanding = understander.understand(text, world)
        understanding = replace(understanding, language=known_language(language))
        if understanding.confidence < SURE:
            call = self._tools.understand(text, known_language(language), world)
            if call is not None and call.confidence > understanding.confidence:
                return call
        return self._open_answer(understanding, world)

    def respelling(self, language: str) -> Respelling | None:
        """What finds a command in words that were heard for others that sound the same; None where none would be.

        Only commands count that skills declare in `by_sound`. It takes up to a second and may be called in a thread.
        """
        understander = self._understander(known_language(language))
        if understander is None or not understander.has_homophones:
            return None

        def respelled(text: str, world: World) -> Understanding | None:
            if world.mentioned.question in OPEN_SLOTS:
                return None
            found = understander.respelled(text, world)
            counts = found is not None and all(self._by_sound(command) for command in found.commands)
            return replace(found, language=known_language(language)) if found is not None and counts else None

        return respelled

    def _by_sound(self, command: Command) -> bool:
        """Whether a command may be taken from words that only sound like it: nothing that deletes, no small talk."""
        plugin = self._by_intent.get(command.intent)
        return plugin is not None and command.intent in getattr(plugin.skill, "by_sound", ())

    async def plan(self, understanding: Understanding, world: World) -> Plan:
        """One plan for all commands of a sentence, in the order spoken."""
        language = understanding.language
        if not understanding.understood:
            return Plan(self.phrase("not_understood", language), refusal=True)
        plans: list[Plan] = []
        for command in self._meant_now(understanding.commands):
            plans.append(await self._plan_command(command, language, world))
            if acted := _appliances(plans[-1].actions):
                world = replace(world, mentioned=replace(world.mentioned, appliances=acted))
        merged = _merged(plans)
        if merged.actions and understanding.confidence < CONFIRM_BELOW:
            reply = self.phrase(CONFIRM, language, text=understanding.text.strip(" .!?"))
            return Plan(reply, expects_reply=True, refusal=True, question=CONFIRM)
        return merged

    def told(self, understanding: Understanding, world: World, call: CallDeviceTool, answer: str) -> str:
        """What to say of a device tool's answer to a plan that says nothing itself; empty for nothing."""
        for command in understanding.commands:
            plugin = self._by_intent.get(command.intent)
            if plugin is None or not hasattr(plugin.skill, "told"):
                continue
            try:
                return str(
                    plugin.skill.told(self._request(plugin, command, understanding.language, world), call, answer)
                )
            except Exception:  # a plugin's own code may raise anything
                log.warning("skill failed", extra={"skill": plugin.name}, exc_info=log.isEnabledFor(logging.DEBUG))
                return self.phrase("skill_failed", understanding.language)
        return spoken_answer(answer)

    def mentioned(self, world: World, understanding: Understanding, plan: Plan) -> Mentioned:
        """What the next turn may refer to."""
        last = world.mentioned
        at_s = world.now.timestamp()
        if not understanding.understood:
            return replace(last, reply=plan.reply or last.reply, question=plan.question, at_s=at_s)
        command = understanding.commands[-1]
        slots = {name: value for name, value in command.slots.items() if name != CONFIRMED}
        named = command.slots.get("appliance")
        appliances = _appliances(plan.actions) or (tuple(named) if isinstance(named, list) else ()) or last.appliances
        room = command.slots.get("room")
        return Mentioned(
            intent=command.intent,
            slots=slots,
            appliances=appliances,
            room=room if isinstance(room, str) else last.room,
            reply=plan.reply or last.reply,
            question=plan.question if plan.expects_reply else None,
            at_s=at_s,
        )

    def phrase(self, key: str, language: str, **values: object) -> str:
        """A reply of the conversation itself, or of a failure by its error code."""
        phrases = self._languages.speech(language).phrases
        return phrases.say(key if key in phrases.keys else "action_failed", **values)

    async def _plan_command(self, command: Command, language: str, world: World) -> Plan:
        if command.slots.get(CONFIRMED) is False:
            return Plan(self.phrase("declined", language))
        if (call := self._tools.plan(command, self.phrase("done", language))) is not None:
            return call
        plugin = self._by_intent.get(command.intent)
        if plugin is None:
            return Plan(self.phrase("not_understood", language), refusal=True)
        request = self._request(plugin, command, language, world)
        try:
            async with asyncio.timeout(PLAN_TIMEOUT_S):
                return _checked(await plugin.skill.plan(request))
        except TimeoutError:
            log.warning("skill too slow", extra={"skill": plugin.name, "intent": command.intent})
            return Plan(self.phrase("skill_slow", language), refusal=True)
        except Exception as error:  # a plugin's own code may raise anything
            log.warning(
                "skill failed",
                extra={"skill": plugin.name, "intent": command.intent, "error": type(error).__name__},
                exc_info=log.isEnabledFor(logging.DEBUG),
            )
            return Plan(self.phrase("skill_failed", language), refusal=True)

    def _meant_now(self, commands: Sequence[Command]) -> Sequence[Command]:
        """The commands without those that are for another time too, because one of the same skill beside them is.

        "Tomorrow close the blinds and turn off the lamp" does neither now.
        """
        skills = [getattr(self._by_intent.get(command.intent), "skill", None) for command in commands]
        for command, skill in zip(commands, skills, strict=True):
            if command.intent in getattr(skill, "puts_off", ()):
                return [
                    other for other, its in zip(commands, skills, strict=True) if other is command or its is not skill
                ]
        return commands

    def _is_small_talk(self, understanding: Understanding) -> bool:
        """Whether it is only what people also say to each other, as skills may declare of their intents.

        Speech for somebody else sounds like it: a second reading is no ground to answer.
        """
        skills = [(self._by_intent.get(command.intent), command.intent) for command in understanding.commands]
        return any(plugin and intent in getattr(plugin.skill, "small_talk", ()) for plugin, intent in skills)

    def _request(self, plugin: Plugin, command: Command, language: str, world: World) -> Request:
        speech = self._languages.speech(language)
        replies = speech.replies_on(plugin.name, world.now.date(), world.home.country)
        return Request(command, language, world, replies.say, replies.terms)

    def _open_answer(self, understanding: Understanding, world: World) -> Understanding:
        """The same, or a free answer to a question for words, such as a name or what to be reminded of."""
        last = world.mentioned
        if last.question not in OPEN_SLOTS or last.intent not in self._by_intent:
            return understanding
        answered = [
            command.intent == last.intent and last.question in command.slots for command in understanding.commands
        ]
        if understanding.confidence >= SURE and answered != [True]:
            return understanding
        trims = self._languages.speech(understanding.language).phrases.terms("answer")
        words = _trimmed(understanding.text, trims)
        if not words:
            return understanding
        new: dict[str, object] = {last.question: words}
        if words.casefold() in trims.get("all", "").split("|"):
            new = {"all": True}
        command = Command(last.intent, {**last.slots, **new}, OPEN_ANSWER_CONFIDENCE, understanding.text)
        return replace(
            understanding,
            commands=(command,),
            completeness=Completeness.EXTENDABLE,
            confidence=OPEN_ANSWER_CONFIDENCE,
        )

    def _understander(self, language: str) -> Understander | None:
        """What understands a language with this home's names; made when it is first needed."""
        found = self._understanders.get(language)
        if found is None and (shared := self._languages.understander(language)) is not None:
            found = self._understanders[language] = shared.with_home(self._home)
        return found


def weather_settings(skills: SkillSettings) -> dict[str, object]:
    """The weather skill's own settings of a server's: a file comes before a service."""
    if skills.weather_file is not None:
        return {"provider": "file", "file": skills.weather_file}
    if not skills.weather_url:
        return {}
    return {
        "provider": "open-meteo",
        "url": skills.weather_url,
        "geocoding_url": skills.weather_geocoding_url,
        "latitude": skills.weather_latitude,
        "longitude": skills.weather_longitude,
    }


def _checked(plan: object) -> Plan:
    """A plugin's plan. Raises: TypeError for what is none, so that it is the skill that fails and not the turn."""
    if not isinstance(plan, Plan) or not isinstance(plan.reply, str):
        raise TypeError(f"plan() returned {type(plan).__name__}, not a Plan with a text as its reply")
    if not all(isinstance(action, Action) for action in plan.actions):
        raise TypeError("a plan's actions are not all of entendre.core.actions")
    return plan


def _merged(plans: Sequence[Plan]) -> Plan:
    if len(plans) == 1:
        return plans[0]
    replies = dict.fromkeys(plan.reply for plan in plans if plan.reply)
    asking = next((plan for plan in reversed(plans) if plan.expects_reply), None)
    return Plan(
        " ".join(replies),
        _each_once([action for plan in plans for action in plan.actions]),
        expects_reply=asking is not None,
        refusal=all(plan.refusal for plan in plans),
        question=asking.question if asking else None,
    )


def _each_once(actions: Sequence[Action]) -> tuple[Action, ...]:
    """Actions without those that a later command says again ("it's cold, turn up the heating")."""
    last = {_change(action): action for action in actions}
    return tuple(action for action in actions if _change(action) is None or last[_change(action)] is action)


def _change(action: Action) -> tuple[object, ...] | None:
    """What an action changes of an appliance, and in which direction; None for actions of other kinds."""
    match action:
        case AdjustTrait():
            return action.appliance, action.trait, action.delta > 0
        case SetTrait():
            return action.appliance, action.trait, action.value
    return None


def _appliances(actions: Sequence[Action]) -> tuple[str, ...]:
    found: list[str] = []
    for action in actions:
        if isinstance(action, SetTrait | AdjustTrait | ControlMedia) and action.appliance:
            found.append(action.appliance)
    return tuple(dict.fromkeys(found))


def _trimmed(said: str, trims: Mapping[str, Any]) -> str:
    """An answer without the words around it: "to call mom." is "call mom", "the pizza one" is "pizza"."""
    words = said.strip(" .!?,").split()
    lead, tail = trims.get("lead", "").split("|"), trims.get("tail", "").split("|")
    while len(words) > 1 and words[0].casefold() in lead:
        words = words[1:]
    while len(words) > 1 and words[-1].casefold() in tail:
        words = words[:-1]
    return " ".join(words)
