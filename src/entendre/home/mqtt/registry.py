"""Entities put together to appliances: a device's sensors join the one thing it is, areas become rooms."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from entendre.core.actions import Trait
from entendre.core.home import Appliance, HomeSnapshot, Names, Room, Scene, all_names
from entendre.home.mqtt.components import SCENES, part_of
from entendre.home.mqtt.discovery import DiscoveryError, Entity
from entendre.home.mqtt.part import Config, Part, checked
from entendre.home.mqtt.templates import Decode

log = logging.getLogger(__name__)

MAX_ENTITIES = 5000
ID_PREFIX = "mqtt."


@dataclass(frozen=True, slots=True)
class Availability:
    """A topic that says whether an entity can be reached."""

    topic: str
    online: str
    offline: str
    decode: Decode

    def read(self, payload: str) -> bool | None:
        """Whether it can be reached; None if the payload says neither."""
        text = self.decode(payload)
        if text == self.online:
            return True
        return False if text == self.offline else None


@dataclass(frozen=True, slots=True)
class Composed:
    """An appliance with what moves it and what tells of it."""

    appliance: Appliance
    part: Part
    room: Room | None = None
    availability: tuple[Availability, ...] = ()
    mode: str = "latest"


@dataclass(frozen=True, slots=True)
class ComposedScene:
    """A scene and what runs it."""

    scene: Scene
    topic: str
    payload: str


@dataclass(slots=True)
class Registry:
    """Every announced entity, by discovery topic."""

    entities: dict[str, Entity] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    scenes: dict[str, ComposedScene] = field(default_factory=dict)

    def announce(self, topic: str, entities: Iterable[Entity], unit: str) -> set[str]:
        """Replace what a discovery topic announced; returns the devices that changed."""
        old = {key: each for key, each in self.entities.items() if key == topic or key.startswith(topic + "#")}
        changed = {each.device for each in old.values()}
        for key in old:
            self.entities.pop(key)
            self.parts.pop(key, None)
            self.scenes.pop(key, None)
        for entity in entities:
            if len(self.entities) >= MAX_ENTITIES:
                log.warning("too many MQTT entities, the rest is left out", extra={"limit": MAX_ENTITIES})
                break
            if self._take(entity, unit):
                changed.add(entity.device)
        return changed

    def _take(self, entity: Entity, unit: str) -> bool:
        if _is_setting(entity):
            return False
        try:
            if entity.component in SCENES:
                self.scenes[entity.key] = _scene(entity)
            else:
                self.parts[entity.key] = part_of(entity.component, entity.config, unit)
        except DiscoveryError as error:
            log.debug("MQTT entity left out", extra={"component": entity.component, "reason": str(error)})
            return False
        self.entities[entity.key] = entity
        return True

    def compose(self, device: str, home: HomeSnapshot) -> list[Composed]:
        """The appliances of a device."""
        found = [(self.entities[key], part) for key, part in self.parts.items() if self.entities[key].device == device]
        primary = [(entity, part) for entity, part in found if part.primary]
        extra = [part for _, part in found if not part.primary]
        if len(primary) == 1:
            entity, part = primary[0]
            for each in extra:
                part = part.plus(each)
            return [_composed(entity, part, home, alone=True)]
        composed = [_composed(entity, part, home, alone=False) for entity, part in primary]
        measured = [each for each in found if not each[1].primary]
        if measured and any(part.traits - {Trait.BATTERY, Trait.POWER} for _, part in measured):
            composed.append(_sensor(measured, home))
        return composed


def _is_setting(entity: Entity) -> bool:
    """Whether an entity is the device's own business: a child lock, a firmware button, a signal strength."""
    if entity.config.get("enabled_by_default") is False:
        return True
    category = entity.config.get("entity_category")
    return category == "config" or (category == "diagnostic" and entity.component not in ("sensor", "binary_sensor"))


def _sensor(measured: list[tuple[Entity, Part]], home: HomeSnapshot) -> Composed:
    entity, part = measured[0]
    for _, each in measured[1:]:
        part = part.plus(each)
    names = (entity.device_name,) if entity.device_name else _names(entity, alone=True)
    identifier = f"{ID_PREFIX}{entity.device}.sensor"
    return _composed(entity, part, home, alone=True, identifier=identifier, names=names)


def _composed(
    entity: Entity,
    part: Part,
    home: HomeSnapshot,
    *,
    alone: bool,
    identifier: str | None = None,
    names: tuple[str, ...] = (),
) -> Composed:
    names = names or _names(entity, alone=alone)
    room = find_room(entity, names, home)
    appliance = Appliance(
        id=identifier or ID_PREFIX + entity.unique_id,
        kind=part.kind,
        names={"": names},
        room=None if room is None else room.id,
        traits=part.traits,
        modes=part.modes,
    )
    mode = str(entity.config.get("availability_mode", "latest"))
    return Composed(appliance, part, room, _availability(entity), mode)


def _names(entity: Entity, *, alone: bool) -> tuple[str, ...]:
    """The entity's own name, and with its device's; the device's name alone when it is all that the device is."""
    device, own = entity.device_name, entity.name
    if own is None or own == device:
        return (device or own or entity.unique_id,)
    if device is None or own.casefold().startswith(device.casefold()):
        return (own,)
    together = f"{device} {own}"
    return (own, together, device) if alone else (own, together)


def find_room(entity: Entity, names: tuple[str, ...], home: HomeSnapshot) -> Room | None:
    """The room of an entity: its area, or the longest room name that its own names contain."""
    if entity.area is not None:
        known = next((room for room in home.rooms if _same(entity.area, room.names)), None)
        return known or Room(_slug(entity.area), {"": (entity.area,)})
    best: tuple[int, Room] | None = None
    for room in home.rooms:
        for name in all_names(room.names):
            if any(_contains(each, name) for each in names) and (best is None or len(name) > best[0]):
                best = (len(name), room)
    return None if best is None else best[1]


def _same(area: str, names: Names) -> bool:
    return any(_slug(area) == _slug(name) for name in all_names(names))


def _contains(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words.casefold())}(?!\w)", text.casefold()) is not None


def _slug(text: str) -> str:
    return re.sub(r"\W+", "_", text.casefold()).strip("_") or "room"


def _availability(entity: Entity) -> tuple[Availability, ...]:
    """The availability topics. Raises: nothing; a template that is not supported is passed over."""
    listed = entity.config.get("availability")
    entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    if entity.config.get("availability_topic"):
        own = dict(entity.config)
        entries = [own | {"topic": own["availability_topic"], "value_template": own.get("availability_template")}]
    found = []
    for each in entries[:16]:
        topic = each.get("topic")
        if not isinstance(topic, str):
            continue
        try:
            decode = checked(each.get("value_template"))
        except DiscoveryError:
            continue
        config = Config(each)
        online, offline = config.text("payload_available", "online"), config.text("payload_not_available", "offline")
        found.append(Availability(topic, online, offline, decode))
    return tuple(found)


def _scene(entity: Entity) -> ComposedScene:
    key, default = SCENES[entity.component]
    config = Config(entity.config)
    names = _names(entity, alone=False)
    scene = Scene(ID_PREFIX + entity.unique_id, {"": names})
    return ComposedScene(scene, config.need("command_topic"), config.text(key, default))
