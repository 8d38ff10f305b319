"""Discovery messages: short keys spelled out, topics joined, entities with their devices; everything bounded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entendre.home.mqtt.abbreviations import DEVICE_KEYS, KEYS

MAX_CONFIG_BYTES = 256 * 1024
"""A device's message with all of its components; Home Assistant's own are some tens of KiB."""
MAX_COMPONENTS = 256
MAX_TOPIC_CHARS = 512
MAX_NAME_CHARS = 120
MAX_DEPTH = 8

DEVICE_COMPONENT = "device"


class DiscoveryError(ValueError):
    """A discovery message that cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One component of a device. `key` is its discovery topic, with the component's id for device messages."""

    key: str
    component: str
    config: Mapping[str, Any]
    device: str
    device_name: str | None
    area: str | None
    name: str | None
    unique_id: str


def parse(topic: str, payload: bytes, prefix: str) -> tuple[Entity, ...]:
    """The entities that a discovery message announces; none when an empty payload takes them back.

    Raises: DiscoveryError.
    """
    parts = topic[len(prefix) + 1 :].split("/")
    if not topic.startswith(prefix + "/") or len(parts) not in (3, 4) or parts[-1] != "config":
        raise DiscoveryError("not a discovery topic")
    if not payload:
        return ()
    config = _object(payload)
    component, identifier = parts[0], "_".join(parts[1:-1])
    if component == DEVICE_COMPONENT:
        return _device_entities(topic, identifier, config)
    return (_entity(topic, component, identifier, config, {}),)


def _object(payload: bytes) -> dict[str, Any]:
    if len(payload) > MAX_CONFIG_BYTES:
        raise DiscoveryError("message is too long")
    try:
        config = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise DiscoveryError("message is not JSON") from error
    if not isinstance(config, dict):
        raise DiscoveryError("message is not an object")
    return config


def _device_entities(topic: str, identifier: str, config: dict[str, Any]) -> tuple[Entity, ...]:
    """Device-based discovery: shared settings, then `components` (`cmps`) by id."""
    shared = _expand(config)
    components = shared.pop("components", None)
    if not isinstance(components, dict) or len(components) > MAX_COMPONENTS:
        raise DiscoveryError(f"needs an object of at most {MAX_COMPONENTS} components")
    found = []
    for key, component in components.items():
        if not isinstance(component, dict):
            raise DiscoveryError("a component is not an object")
        platform = component.get("platform", component.get("p"))
        if platform is None or len(component) == 1:
            continue
        merged = {name: value for name, value in shared.items() if name != "origin"} | component
        found.append(_entity(f"{topic}#{key}", str(platform), f"{identifier}_{key}", merged, shared))
    return tuple(found)


def _entity(key: str, component: str, identifier: str, config: dict[str, Any], shared: Mapping[str, Any]) -> Entity:
    expanded = _with_base(_expand(config))
    device = expanded.get("device")
    device = _expand_device(device) if isinstance(device, dict) else {}
    _check_topics(expanded)
    unique = expanded.get("unique_id") or identifier
    return Entity(
        key=key,
        component=component,
        config=expanded,
        device=_device_key(device) or str(unique),
        device_name=_text(device.get("name")),
        area=_text(device.get("suggested_area")),
        name=_text(expanded.get("name")),
        unique_id=str(unique)[:MAX_NAME_CHARS],
    )


def _expand(config: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise DiscoveryError("message is nested too deeply")
    expanded = {KEYS.get(name, name): value for name, value in config.items()}
    availability = expanded.get("availability")
    if isinstance(availability, dict):
        availability = [availability]
    if isinstance(availability, list):
        expanded["availability"] = [_expand(each, depth + 1) for each in availability if isinstance(each, dict)]
    return expanded


def _expand_device(device: Mapping[str, Any]) -> dict[str, Any]:
    return {DEVICE_KEYS.get(name, name): value for name, value in device.items()}


def _with_base(config: dict[str, Any]) -> dict[str, Any]:
    """`~` at either end of a topic stands for the base topic."""
    base = config.get("~")
    if not isinstance(base, str):
        return config
    joined = {name: _join(base, value) if _is_topic(name) else value for name, value in config.items()}
    availability = joined.get("availability")
    if isinstance(availability, list):
        joined["availability"] = [each | {"topic": _join(base, each.get("topic"))} for each in availability]
    return joined


def _join(base: str, value: Any) -> Any:
    if isinstance(value, str) and value.startswith("~"):
        return base + value[1:]
    if isinstance(value, str) and value.endswith("~"):
        return value[:-1] + base
    return value


def _is_topic(name: str) -> bool:
    return name == "topic" or name.endswith("_topic")


def _check_topics(config: Mapping[str, Any]) -> None:
    """A wildcard in a state topic would subscribe to the whole broker."""
    topics = [value for name, value in config.items() if _is_topic(name)]
    topics += [each.get("topic") for each in config.get("availability") or [] if isinstance(each, dict)]
    for topic in topics:
        if topic is None:
            continue
        bad = not isinstance(topic, str) or not topic or len(topic) > MAX_TOPIC_CHARS
        if bad or any(mark in topic for mark in "+#\0"):
            raise DiscoveryError("a topic is empty, too long or has a wildcard")


def _device_key(device: Mapping[str, Any]) -> str | None:
    identifiers = device.get("identifiers")
    if isinstance(identifiers, list) and identifiers:
        identifiers = identifiers[0]
    if identifiers:
        return str(identifiers)[:MAX_NAME_CHARS]
    connections = device.get("connections")
    return json.dumps(connections)[:MAX_NAME_CHARS] if connections else None


def _text(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    return " ".join(value.replace("_", " ").split())[:MAX_NAME_CHARS] or None
