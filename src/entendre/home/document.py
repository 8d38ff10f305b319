"""HOME.json: a home as a small document that people write by hand. Format: docs/home.md."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from entendre.core.actions import Trait, TraitValue
from entendre.core.errors import InvalidInputError
from entendre.core.home import Appliance, HomeSnapshot, ItemList, Names, Room, Scene, Station
from entendre.home.traits import KIND_MODES, KIND_TRAITS, RULES, canonical, initial_value

MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
MAX_ENTRIES = 10_000
"""Most rooms, appliances, scenes or lists of a document."""
MAX_NAME_CHARS = 120

_HOME_KEYS = ("temperature_unit", "time_zone", "place", "floors", "rooms", "appliances", "scenes", "lists", "media")
_ENTRY_KEYS: dict[str, tuple[str, ...]] = {
    "floors": ("id", "names"),
    "rooms": ("id", "names", "floor"),
    "appliances": ("id", "kind", "names", "room", "traits", "modes", "state", "available"),
    "scenes": ("id", "names", "room", "states"),
    "lists": ("id", "names", "items", "done"),
    "media": ("id", "names", "url"),
}
_URL = re.compile(r"https?://[^\s/?#]+\S*")
MAX_URL_CHARS = 2_000
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")

Entry = Mapping[str, Any]
T = TypeVar("T")


def load_home(source: str | Path | Mapping[str, Any]) -> HomeSnapshot:
    """The home of a HOME.json file, or of the object read from one.

    Raises: InvalidInputError that names the place in the document and what to do.
    """
    if isinstance(source, Mapping):
        return _home(source)
    return _home(_read(Path(source)))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > MAX_DOCUMENT_BYTES:
            raise InvalidInputError(f"{path}: larger than {MAX_DOCUMENT_BYTES} bytes")
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"{path}: cannot be read ({error.strerror}); give the path of a HOME.json") from error
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{path}: is not JSON in UTF-8: {error}") from error
    if not isinstance(document, Mapping):
        raise InvalidInputError(f"{path}: must be a JSON object with rooms and appliances")
    return document


def _fail(where: str, problem: str) -> InvalidInputError:
    return InvalidInputError(f"home document: {where}: {problem}")


def _choice(where: str, value: object, allowed: Iterable[str]) -> str:
    allowed = [str(each) for each in allowed]
    if isinstance(value, str) and value in allowed:
        return value
    close = difflib.get_close_matches(str(value), allowed, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise _fail(where, f"{value!r} is not one of {', '.join(allowed)}{hint}")


def _known(where: str, entry: Entry, allowed: tuple[str, ...]) -> None:
    for key in entry:
        if key not in allowed:
            _choice(f"{where}: key", key, allowed)


def _home(document: Entry) -> HomeSnapshot:
    _known("top level", document, _HOME_KEYS)
    unit = _choice("temperature_unit", document.get("temperature_unit", "C"), ("C", "F"))
    floors = {str(entry["id"]): _names(where, entry) for where, entry in _entries(document, "floors")}
    rooms = _each(document, "rooms", lambda where, entry: _room(where, entry, floors))
    room_ids = {room.id for room in rooms}
    appliances = _each(document, "appliances", lambda where, entry: _appliance(where, entry, room_ids, unit))
    by_id = {appliance.id: appliance for appliance in appliances}
    return HomeSnapshot(
        rooms=rooms,
        appliances=appliances,
        scenes=_each(document, "scenes", lambda where, entry: _scene(where, entry, room_ids, by_id)),
        lists=_each(document, "lists", _list),
        media=_each(document, "media", _station),
        floors=floors,
        temperature_unit=unit,
        time_zone=_time_zone(document.get("time_zone", "UTC")),
        place=_optional_text("place", document.get("place")),
    )


def _each(document: Entry, section: str, build: Callable[[str, Entry], T]) -> tuple[T, ...]:
    return tuple(build(where, entry) for where, entry in _entries(document, section))


def _entries(document: Entry, section: str) -> list[tuple[str, Entry]]:
    """The section's entries with their places, ids checked."""
    entries = document.get(section, [])
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        raise _fail(section, f"must be a list of at most {MAX_ENTRIES} objects")
    found: dict[str, tuple[str, Entry]] = {}
    for index, entry in enumerate(entries):
        where = f"{section}[{index}]"
        if not isinstance(entry, Mapping):
            raise _fail(where, "must be an object")
        identifier = entry.get("id")
        if not isinstance(identifier, str) or not identifier or len(identifier) > MAX_NAME_CHARS:
            raise _fail(where, 'needs an "id": a short text that nothing else of this section has')
        where = f"{where} {identifier!r}"
        if identifier in found:
            raise _fail(where, f"id {identifier!r} is already used in {section}; ids must differ")
        _known(where, entry, _ENTRY_KEYS[section])
        found[identifier] = (where, entry)
    return list(found.values())


def _names(where: str, entry: Entry) -> Names:
    names = entry.get("names")
    if isinstance(names, Mapping):
        for tag in names:
            if tag and not _TAG.fullmatch(str(tag)):
                raise _fail(f"{where}.names", f"{tag!r} is not a language tag such as 'en' or 'pt-BR'")
        found = {str(tag): _texts(f"{where}.names.{tag}", group) for tag, group in names.items()}
    else:
        found = {"": _texts(f"{where}.names", names)}
    if not any(found.values()):
        raise _fail(f"{where}.names", "needs at least one name: a text, a list of texts, or an object language → names")
    return found


def _texts(where: str, value: object) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or len(items) > MAX_ENTRIES:
        raise _fail(where, "must be a text or a list of texts")
    for item in items:
        if not isinstance(item, str) or not item.strip() or len(item) > MAX_NAME_CHARS:
            raise _fail(where, f"{item!r} must be a text of 1 to {MAX_NAME_CHARS} characters")
    return tuple(item.strip() for item in items)


def _optional_text(where: str, value: object) -> str | None:
    if value is None:
        return None
    return _texts(where, value)[0] if isinstance(value, str) else _texts(where, [value])[0]


def _time_zone(value: object) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _fail("time_zone", f"{value!r} is not an IANA time zone such as 'Europe/Paris'") from error


def _reference(where: str, value: object, known: Iterable[str], what: str) -> str | None:
    if value is None:
        return None
    if value not in set(known):
        raise _fail(where, f"{value!r} is no {what} id of this document; add it or correct the id")
    return str(value)


def _room(where: str, entry: Entry, floors: Mapping[str, Names]) -> Room:
    floor = _reference(f"{where}.floor", entry.get("floor"), floors, "floor")
    return Room(str(entry["id"]), _names(where, entry), floor)


def _appliance(where: str, entry: Entry, rooms: set[str], unit: str) -> Appliance:
    kind = _choice(f"{where}.kind", entry.get("kind"), KIND_TRAITS)
    given = _state(f"{where}.state", entry.get("state", {}))
    traits = frozenset(_traits(f"{where}.traits", entry.get("traits"), kind)) | frozenset(given)
    if not traits:
        raise _fail(where, f'a {kind} needs "traits" or "state": the kind alone does not say what it can do')
    modes = _texts(f"{where}.modes", entry["modes"]) if "modes" in entry else KIND_MODES.get(kind, ())
    available = entry.get("available", True)
    if not isinstance(available, bool):
        raise _fail(f"{where}.available", "must be true or false")
    return Appliance(
        id=str(entry["id"]),
        kind=kind,
        names=_names(where, entry),
        room=_reference(f"{where}.room", entry.get("room"), rooms, "room"),
        traits=traits,
        modes=modes if Trait.MODE in traits else (),
        state=_initial_state(traits, modes, unit) | given,
        available=available,
    )


def _initial_state(traits: frozenset[Trait], modes: tuple[str, ...], unit: str) -> dict[Trait, TraitValue]:
    values = {trait: initial_value(trait, modes, unit) for trait in Trait if trait in traits}
    return {trait: value for trait, value in values.items() if value is not None}


def _traits(where: str, value: object, kind: str) -> tuple[Trait, ...]:
    if value is None:
        return KIND_TRAITS[kind]
    return tuple(Trait(_choice(where, name, RULES)) for name in _texts(where, value))


def _state(where: str, value: object) -> dict[Trait, TraitValue]:
    if not isinstance(value, Mapping):
        raise _fail(where, "must be an object trait → value")
    state: dict[Trait, TraitValue] = {}
    for name, given in value.items():
        trait = Trait(_choice(where, name, RULES))
        try:
            state[trait] = canonical(trait, given)
        except ValueError as error:
            raise _fail(f"{where}.{name}", f"{given!r} {error}") from error
    return state


def _scene(where: str, entry: Entry, rooms: set[str], appliances: Mapping[str, Appliance]) -> Scene:
    states = entry.get("states", {})
    if not isinstance(states, Mapping):
        raise _fail(f"{where}.states", "must be an object appliance id → traits")
    for appliance in states:
        _reference(f"{where}.states", appliance, appliances, "appliance")
    return Scene(
        id=str(entry["id"]),
        names=_names(where, entry),
        room=_reference(f"{where}.room", entry.get("room"), rooms, "room"),
        states={str(key): _state(f"{where}.states.{key}", value) for key, value in states.items()},
    )


def _list(where: str, entry: Entry) -> ItemList:
    return ItemList(
        id=str(entry["id"]),
        names=_names(where, entry),
        items=_texts(f"{where}.items", entry.get("items", [])),
        done=_texts(f"{where}.done", entry.get("done", [])),
    )


def _station(where: str, entry: Entry) -> Station:
    url = entry.get("url")
    if not isinstance(url, str) or len(url) > MAX_URL_CHARS or not _URL.fullmatch(url):
        raise _fail(f"{where}.url", f"{url!r} is not an address such as 'https://radio.example/stream.mp3'")
    return Station(str(entry["id"]), _names(where, entry), url)


def dump_home(home: HomeSnapshot) -> dict[str, Any]:
    """The document of a home, which `load_home` reads back to an equal home."""
    floors = [{"id": key, "names": _names_out(names)} for key, names in home.floors.items()]
    rooms = [room_document(room) for room in home.rooms]
    document = {
        "temperature_unit": home.temperature_unit,
        "time_zone": home.time_zone,
        "place": home.place,
        "floors": floors,
        "rooms": rooms,
        "appliances": [_appliance_out(appliance) for appliance in home.appliances],
        "scenes": [_scene_out(scene) for scene in home.scenes],
        "lists": [
            _without_empty(id=each.id, names=_names_out(each.names), items=list(each.items), done=list(each.done))
            for each in home.lists
        ],
        "media": [{"id": each.id, "names": _names_out(each.names), "url": each.url} for each in home.media],
    }
    return _without_empty(**document)


def room_document(room: Room) -> dict[str, Any]:
    """A room as an entry of the document's `rooms`."""
    return _without_empty(id=room.id, names=_names_out(room.names), floor=room.floor)


def _appliance_out(appliance: Appliance) -> dict[str, Any]:
    document = _without_empty(
        id=appliance.id,
        kind=appliance.kind,
        names=_names_out(appliance.names),
        room=appliance.room,
        modes=list(appliance.modes),
        state=_state_out(appliance.state),
    )
    document["traits"] = [trait.value for trait in Trait if trait in appliance.traits]
    if not appliance.available:
        document["available"] = False
    return document


def _scene_out(scene: Scene) -> dict[str, Any]:
    states = {key: _state_out(state) for key, state in scene.states.items()}
    return _without_empty(id=scene.id, names=_names_out(scene.names), room=scene.room, states=states)


def _state_out(state: Mapping[Trait, TraitValue]) -> dict[str, TraitValue]:
    return {trait.value: value for trait, value in state.items()}


def _names_out(names: Names) -> list[str] | dict[str, list[str]]:
    if set(names) == {""}:
        return list(names[""])
    return {tag: list(group) for tag, group in names.items()}


def _without_empty(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, [], {}, ())}


def home_schema() -> dict[str, Any]:
    """The JSON Schema of HOME.json, as published in docs/home.schema.json."""
    text = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARS}
    texts = {"anyOf": [text, {"type": "array", "items": text}]}
    names = {"anyOf": [*texts["anyOf"], {"type": "object", "minProperties": 1, "additionalProperties": texts}]}
    state = {
        "type": "object",
        "properties": {trait.value: _value_schema(trait) for trait in RULES},
        "additionalProperties": False,
    }
    fields: dict[str, dict[str, Any]] = {
        "id": text,
        "names": names,
        "floor": text,
        "room": text,
        "kind": {"enum": list(KIND_TRAITS)},
        "traits": {"type": "array", "items": {"enum": [trait.value for trait in RULES]}},
        "modes": {"type": "array", "items": text},
        "state": state,
        "states": {"type": "object", "additionalProperties": state},
        "available": {"type": "boolean"},
        "items": {"type": "array", "items": text},
        "done": {"type": "array", "items": text},
        "url": {"type": "string", "pattern": "^https?://", "maxLength": MAX_URL_CHARS},
        "place": text,
        "time_zone": text,
        "temperature_unit": {"enum": ["C", "F"]},
    }
    sections = {section: _section_schema(keys, fields) for section, keys in _ENTRY_KEYS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Entendre home document",
        "type": "object",
        "properties": {key: sections[key] if key in sections else fields[key] for key in _HOME_KEYS},
        "additionalProperties": False,
    }


def _section_schema(keys: tuple[str, ...], fields: Mapping[str, Any]) -> dict[str, Any]:
    required = [key for key in ("id", "kind", "names", "url") if key in keys]
    entry = {
        "type": "object",
        "properties": {key: fields[key] for key in keys},
        "required": required,
        "additionalProperties": False,
    }
    return {"type": "array", "maxItems": MAX_ENTRIES, "items": entry}


def _value_schema(trait: Trait) -> dict[str, Any]:
    rule = RULES[trait]
    schema: dict[str, Any] = {"type": rule.type}
    if rule.minimum is not None:
        schema["minimum"] = rule.minimum
    if rule.maximum is not None:
        schema["maximum"] = rule.maximum
    return schema
