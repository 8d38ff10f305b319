"""The sentences of the `home-assistant-intents` package as one more sentence file, in our slots and intents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from home_assistant_intents import get_intents

from entendre.core.errors import ConfigurationError
from entendre.language.sentences import SentenceFile, sentence_file
from entendre.markets.loader import read_yaml

SKILL = "home_assistant"
SLOTS = {
    "name": "appliance",
    "area": "room",
    "floor": "room",
    "brightness": "percent:brightness",
    "brightness_level": "brightness_level:brightness",
    "position": "percent:position",
    "fan_speed": "percent:fan_speed",
    "volume": "percent:volume",
    "volume_step_up": "percent",
    "volume_step_down": "percent",
    "temperature": "temperature",
    "color": "color",
    "color_temperature": "number:color_temperature",
    "color_temperature_names": "color_temperature_names:color_temperature",
    "cover_classes": "kind",
    "timer_name": "name",
    "shopping_list_item": "item",
    "todo_list_item": "item",
    "message": "text",
}
"""Their list -> our type, with the slot's name where that is another."""
OWN_LISTS = frozenset({"brightness_level", "color_temperature_names"})
"""Lists of which only the slot's name changes."""
NAMES = frozenset({"name", "area", "floor"})
"""Lists of names, which alone say nothing of what to do."""
KINDS = {
    "light": ("light",),
    "fan": ("fan",),
    "lock": ("lock",),
    "cover": ("blind", "curtain", "shutter", "garage_door", "gate", "door", "window"),
    "climate": ("thermostat", "air_conditioner", "heater"),
    "media_player": ("tv", "speaker", "media_player"),
    "switch": ("switch", "outlet"),
    "vacuum": ("vacuum",),
    "valve": ("valve",),
    "scene": ("scene",),
}
"""Their domain -> our appliance kinds."""
KIND_SLOT = "kind"
_OPTIONAL = re.compile(r"\[[^\[\]]*\]")
_REFERENCE = re.compile(r"\{(\w+)(?::(\w+))?\}")


def their_language(language: str) -> str:
    """What they call a language of ours."""
    return str(_mapping()["languages"].get(language, language))


@lru_cache
def _mapping() -> Mapping[str, Any]:
    return read_yaml(files("entendre.markets") / "home_assistant.yaml")


def base_sentences(language: str, answered: Iterable[str]) -> SentenceFile | None:
    """The package's sentences of a language for those of our intents that are answered; None if it has none."""
    known = frozenset(answered)
    document = _mapping()
    mapping = {
        intent: target
        for intent, target in document["intents"].items()
        if {target["intent"], *_others(target)} <= known
    }
    theirs = their_language(language)
    if not mapping or get_intents(theirs) is None:
        return None
    return load_home_assistant(theirs, mapping, cost=float(document["cost"]))


def _others(target: Mapping[str, Any]) -> set[str]:
    return {case["intent"] for case in target.get("cases", ()) if "intent" in case}


def load_home_assistant(language: str, mapping: Mapping[str, Mapping[str, Any]], *, cost: float = 0.0) -> SentenceFile:
    """A language's sentences for the intents of `mapping`: `{"HassTurnOn": {"intent": …, "slots": {…}}}`.

    Raises: ConfigurationError if the package lacks the language.
    """
    package = get_intents(language)
    if package is None:
        raise ConfigurationError(f"The package home-assistant-intents has no sentences for {language!r}.")
    intents: dict[str, dict[str, Any]] = {}
    for theirs, target in mapping.items():
        for block in package["intents"].get(theirs, {}).get("data", ()):
            case = _case(block, target)
            if case.get("skip"):
                continue
            intent = case.get("intent", target["intent"])
            added = {**target.get("slots", {}), **case.get("slots", {})}
            added = {name: value for name, value in added.items() if name not in case.get("without", ())}
            for own, sentences in _split(block["sentences"], package, {**target, **case}, intent).items():
                told = _block({**block, "sentences": sentences}, added, {**target, **case}) | {"cost": cost}
                intents.setdefault(own, {"data": []})["data"].append(told)
    lists = {name: body for name, body in package.get("lists", {}).items() if name in OWN_LISTS or name not in SLOTS}
    document = {
        "language": language,
        "intents": intents,
        "expansion_rules": {name: _template(body) for name, body in package.get("expansion_rules", {}).items()},
        "lists": lists,
    }
    return sentence_file(SKILL, document)


def _case(block: Mapping[str, Any], target: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first case of a mapping that fits a block."""
    of_block = {
        "domain": _domains(block),
        "combination": {block.get("metadata", {}).get("slot_combination")},
        "response": {block.get("response")},
        "uses": {name for sentence in block["sentences"] for name, _ in _REFERENCE.findall(sentence)},
    }
    return next((case for case in target.get("cases", ()) if _fits(case, of_block)), {})


def _fits(case: Mapping[str, Any], of_block: Mapping[str, set[Any]]) -> bool:
    wanted = ((key, case[key]) for key in of_block if key in case)
    return all(of_block[key] & set([value] if isinstance(value, str) else value) for key, value in wanted)


def _domains(block: Mapping[str, Any]) -> set[Any]:
    """The domains of a block, fixed or asked for."""
    asked = block.get("requires_context", {}).get("domain", ())
    return {block.get("slots", {}).get("domain"), *([asked] if isinstance(asked, str) else asked)}


def _split(
    sentences: Sequence[str], package: Mapping[str, Any], target: Mapping[str, Any], intent: str
) -> dict[str, list[str]]:
    """Sentences by our intent, where the words of one of their lists decide it ("up" and "down" of a volume)."""
    references = {name: re.compile(rf"\{{{name}(?::\w+)?\}}") for name in target.get("split", {})}
    found: dict[str, list[str]] = {}
    for sentence in sentences:
        name = next((name for name, reference in references.items() if reference.search(sentence)), None)
        if name is None:
            found.setdefault(intent, []).append(sentence)
            continue
        for value, own in target["split"][name].items():
            words = [each["in"] for each in package["lists"][name]["values"] if str(each["out"]) == value]
            if words:
                found.setdefault(own, []).append(references[name].sub(f"({'|'.join(words)})", sentence))
    return found


def _offered(sentence: str, target: Mapping[str, Any]) -> bool:
    """Whether a sentence has none of the lists that its intent of ours knows nothing of."""
    return not {name for name, _ in _REFERENCE.findall(sentence)} & set(target.get("without_lists", ()))


def _block(block: Mapping[str, Any], added: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Any]:
    slots = dict(block.get("slots", {}))
    kinds = KINDS.get(str(slots.pop("domain", "")), ())
    if len(kinds) == 1:
        slots[KIND_SLOT] = kinds[0]
    return {
        "sentences": [
            _template(sentence, target.get("types", {}))
            for sentence in block["sentences"]
            if _says_what(sentence) and _offered(sentence, target)
        ],
        "slots": slots | dict(added),
        "sums": target.get("sums", {}),
        "requires_context": _context(block.get("requires_context", {})),
    }


def _says_what(sentence: str) -> bool:
    """Whether a sentence has a word of its own: a bare name, which they switch on, says nothing of what to do."""
    needed = sentence
    while (shorter := _OPTIONAL.sub("", needed)) != needed:
        needed = shorter
    lists = {name for name, _ in _REFERENCE.findall(needed)}
    return bool(lists - NAMES or _REFERENCE.sub("", needed).strip())


def _context(theirs: Mapping[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    if "area" in theirs:
        ours["room"] = True
    domain = theirs.get("domain")
    if domain is not None:
        domains = [domain] if isinstance(domain, str) else domain
        ours["kind"] = [kind for name in domains for kind in KINDS.get(str(name), (str(name),))]
    return ours


def _template(text: str, types: Mapping[str, str] | None = None) -> str:
    """A template with our lists and slots; `types` are those of its intent, which come first."""

    def renamed(match: re.Match[str]) -> str:
        name, stored = match.groups()
        ours = (types or {}).get(name) or SLOTS.get(name)
        if ours is None:
            return match.group()
        kind, _, own = ours.partition(":")
        if own or stored is None or kind == KIND_SLOT:
            return f"{{{ours}}}"
        return f"{{{kind}:{stored}}}"

    return _REFERENCE.sub(renamed, text)
