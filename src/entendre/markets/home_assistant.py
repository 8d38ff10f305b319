"""The sentences of the `home-assistant-intents` package as one more sentence file, in our slots and intents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from home_assistant_intents import get_intents

from entendre.core.errors import ConfigurationError
from entendre.language.sentences import SentenceFile, sentence_file

SKILL = "home_assistant"
SLOTS = {
    "name": "appliance",
    "area": "room",
    "floor": "room",
    "brightness": "percent:brightness",
    "position": "percent:position",
    "fan_speed": "percent:fan_speed",
    "volume": "percent:volume",
    "temperature": "temperature",
    "color": "color",
    "color_temperature": "kelvin:color_temperature",
}
"""Their list -> our type, with the slot's name where it stays theirs."""
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
_REFERENCE = re.compile(r"\{(\w+)(?::(\w+))?\}")


def load_home_assistant(language: str, mapping: Mapping[str, Mapping[str, Any]]) -> SentenceFile:
    """A language's sentences for the intents of `mapping`: `{"HassTurnOn": {"intent": …, "slots": {…}}}`.

    Raises: ConfigurationError if the package lacks the language.
    """
    package = get_intents(language)
    if package is None:
        raise ConfigurationError(f"The package home-assistant-intents has no sentences for {language!r}.")
    intents: dict[str, dict[str, Any]] = {}
    for theirs, target in mapping.items():
        blocks = package["intents"].get(theirs, {}).get("data", ())
        converted = [_block(block, target.get("slots", {})) for block in blocks]
        intents.setdefault(target["intent"], {"data": []})["data"].extend(converted)
    document = {
        "language": language,
        "intents": intents,
        "expansion_rules": {name: _template(body) for name, body in package.get("expansion_rules", {}).items()},
        "lists": {name: body for name, body in package.get("lists", {}).items() if name not in SLOTS},
    }
    return sentence_file(SKILL, document)


def _block(block: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    slots = dict(block.get("slots", {}))
    kinds = KINDS.get(str(slots.pop("domain", "")), ())
    if len(kinds) == 1:
        slots["kind"] = kinds[0]
    return {
        "sentences": [_template(sentence) for sentence in block["sentences"]],
        "slots": slots | dict(added),
        "requires_context": _context(block.get("requires_context", {})),
    }


def _context(theirs: Mapping[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    if "area" in theirs:
        ours["room"] = True
    domain = theirs.get("domain")
    if domain is not None:
        domains = [domain] if isinstance(domain, str) else domain
        ours["kind"] = [kind for name in domains for kind in KINDS.get(str(name), (str(name),))]
    return ours


def _template(text: str) -> str:
    def renamed(match: re.Match[str]) -> str:
        name, stored = match.groups()
        ours = SLOTS.get(name)
        if ours is None:
            return match.group()
        if stored is not None:
            return f"{{{ours.split(':')[0]}:{stored}}}"
        return f"{{{ours}}}"

    return _REFERENCE.sub(renamed, text)
