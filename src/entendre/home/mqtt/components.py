"""Every other component: switches, fans, covers, locks, climate, vacuums, sensors, scenes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from entendre.core.actions import Trait, TraitValue
from entendre.home.mqtt.discovery import DiscoveryError
from entendre.home.mqtt.lights import light
from entendre.home.mqtt.part import (
    Config,
    Convert,
    Part,
    Publish,
    Reader,
    Values,
    Writer,
    either,
    number_of,
    percent_of,
    reader,
    scaled,
)
from entendre.home.mqtt.templates import UnsupportedTemplateError, command_template

Build = Callable[[Config, str], Part]
"""From an entity's settings and the home's temperature unit."""

COVER_KINDS = {
    "curtain": "curtain",
    "shutter": "shutter",
    "garage": "garage_door",
    "gate": "gate",
    "door": "door",
    "window": "window",
}
CONTACT_KINDS = {"door": "door", "window": "window", "opening": "door", "garage_door": "door", "gate": "gate"}
MOTION_CLASSES = frozenset({"motion", "occupancy", "presence", "moving"})
SENSOR_TRAITS = {
    "temperature": Trait.CURRENT_TEMPERATURE,
    "humidity": Trait.CURRENT_HUMIDITY,
    "battery": Trait.BATTERY,
    "power": Trait.POWER,
}


def part_of(component: str, values: Mapping[str, object], unit: str) -> Part:
    """An entity's part of an appliance.

    Raises: DiscoveryError for a component that is not supported or is missing what it needs.
    """
    build = COMPONENTS.get(component)
    if build is None:
        raise DiscoveryError(f"component {component} is not supported")
    return build(Config(values), unit)


def _render(config: Config, name: str) -> Callable[[object], str]:
    try:
        template = command_template(config.template(name))
    except UnsupportedTemplateError as error:
        raise DiscoveryError(str(error)) from error
    return lambda value: template({"value": value, "position": value})


def _two(topic: str, yes: str, no: str, render: Callable[[object], str], echoed: bool) -> Writer:
    def write(value: TraitValue, _: Values) -> tuple[Publish, ...]:
        return ((topic, render(yes if value else no)),)

    return Writer(write, echoed)


def _switch(config: Config, _: str) -> Part:
    kind = "outlet" if config.text("device_class", "") == "outlet" else "switch"
    return _switched(config, kind, "state_topic", "value_template")


def _switched(config: Config, kind: str, state: str, template: str) -> Part:
    on, off = config.text("payload_on", "ON"), config.text("payload_off", "OFF")
    writer = _two(
        config.need("command_topic"), on, off, _render(config, "command_template"), config.topic(state) is not None
    )
    shown = either(config.text("state_on", on), config.text("state_off", off))
    readers = reader(config, state, template, Trait.ON, shown)
    return Part(kind, readers=readers, writers={Trait.ON: writer}, traits=frozenset({Trait.ON}))


def _fan(config: Config, _: str) -> Part:
    part = _switched(config, "fan", "state_topic", "state_value_template")
    readers, writers = list(part.readers), dict(part.writers)
    topic = config.topic("percentage_command_topic")
    if topic is not None:
        low, high = config.number("speed_range_min", 1), config.number("speed_range_max", 100)
        render = _render(config, "percentage_command_template")
        echoed = config.topic("percentage_state_topic") is not None
        writers[Trait.SPEED] = Writer(lambda value, _: ((topic, render(scaled(value, low - 1, high))),), echoed)
        readers += reader(
            config, "percentage_state_topic", "percentage_value_template", Trait.SPEED, percent_of(low - 1, high)
        )
    swing = config.topic("oscillation_command_topic")
    if swing is not None:
        on = config.text("payload_oscillation_on", "oscillate_on")
        off = config.text("payload_oscillation_off", "oscillate_off")
        echoed = config.topic("oscillation_state_topic") is not None
        writers[Trait.OSCILLATING] = _two(swing, on, off, _render(config, "oscillation_command_template"), echoed)
        readers += reader(
            config, "oscillation_state_topic", "oscillation_value_template", Trait.OSCILLATING, either(on, off)
        )
    return Part("fan", readers=tuple(readers), writers=writers, traits=frozenset(writers))


def _cover(config: Config, _: str) -> Part:
    kind = COVER_KINDS.get(config.text("device_class", ""), "blind")
    return _opened(config, kind, "payload_open", "payload_close", "set_position_topic", "set_position_template")


def _valve(config: Config, _: str) -> Part:
    position = "command_topic" if config.flag("reports_position") else ""
    return _opened(config, "valve", "payload_open", "payload_close", position, "command_template")


def _opened(config: Config, kind: str, open_key: str, close_key: str, position: str, template: str) -> Part:
    """Something between closed and open. Without a position topic, anything above half opens it."""
    command = config.topic("command_topic")
    set_topic = config.topic(position)
    if command is None and set_topic is None:
        raise DiscoveryError("needs command_topic")
    opening, closing = config.text(open_key, "OPEN"), config.text(close_key, "CLOSE")
    closed, opened = config.number("position_closed", 0), config.number("position_open", 100)
    render, render_command = _render(config, template), _render(config, "command_template")

    def write(value: TraitValue, _: Values) -> tuple[Publish, ...]:
        percent = float(value)
        if set_topic is not None and (command is None or position == "command_topic" or 0 < percent < 100):
            return ((set_topic, render(scaled(percent, closed, opened))),)
        return ((str(command), render_command(opening if percent >= 50 else closing)),)

    states = {config.text("state_open", "open"): 100, config.text("state_closed", "closed"): 0}
    readers = list(reader(config, "position_topic", "position_template", Trait.POSITION, percent_of(closed, opened)))
    if position == "command_topic":
        readers += reader(config, "state_topic", "value_template", Trait.POSITION, percent_of(closed, opened))
    elif not readers:
        readers += reader(config, "state_topic", "value_template", Trait.POSITION, states.get)
    writers = {Trait.POSITION: Writer(write, bool(readers))}
    return Part(kind, readers=tuple(readers), writers=writers, traits=frozenset(writers))


def _lock(config: Config, _: str) -> Part:
    writer = _two(
        config.need("command_topic"),
        config.text("payload_lock", "LOCK"),
        config.text("payload_unlock", "UNLOCK"),
        _render(config, "command_template"),
        config.topic("state_topic") is not None,
    )
    shown = either(config.text("state_locked", "LOCKED"), config.text("state_unlocked", "UNLOCKED"))
    readers = reader(config, "state_topic", "value_template", Trait.LOCKED, shown)
    return Part("lock", readers=readers, writers={Trait.LOCKED: writer}, traits=frozenset({Trait.LOCKED}))


def converted(value: float, source: str, target: str) -> float:
    """Degrees of one unit in another; "C" and "F"."""
    if source == target:
        return value
    return value * 9 / 5 + 32 if target == "F" else (value - 32) * 5 / 9


def _degrees(source: str, target: str) -> Convert:
    def convert(text: str) -> TraitValue | None:
        value = number_of(text)
        return None if value is None else round(converted(value, source, target), 1)

    return convert


def _climate(config: Config, unit: str) -> Part:
    own = "F" if "F" in config.text("temperature_unit", unit).upper() else "C"
    modes = config.texts("modes") or ("auto", "off", "cool", "heat", "dry", "fan_only")
    readers: list[Reader] = []
    writers: dict[Trait, Writer] = {}
    target = config.topic("temperature_command_topic")
    if target is not None:
        low, high = config.number("min_temp", -1e9), config.number("max_temp", 1e9)
        render = _render(config, "temperature_command_template")

        def write(value: TraitValue, _: Values) -> tuple[Publish, ...]:
            degrees = min(max(round(converted(float(value), unit, own), 1), low), high)
            return ((target, render(int(degrees) if degrees.is_integer() else degrees)),)

        writers[Trait.TEMPERATURE] = Writer(write, config.topic("temperature_state_topic") is not None)
        readers += reader(
            config, "temperature_state_topic", "temperature_state_template", Trait.TEMPERATURE, _degrees(own, unit)
        )
    mode = config.topic("mode_command_topic")
    if mode is not None:
        render_mode = _render(config, "mode_command_template")
        echoed = config.topic("mode_state_topic") is not None
        writers[Trait.MODE] = Writer(lambda value, _: ((mode, render_mode(value)),), echoed)
        readers += reader(config, "mode_state_topic", "mode_state_template", Trait.MODE, lambda text: text[:64] or None)
    measured = reader(
        config,
        "current_temperature_topic",
        "current_temperature_template",
        Trait.CURRENT_TEMPERATURE,
        _degrees(own, unit),
    )
    traits = frozenset(writers) | ({Trait.CURRENT_TEMPERATURE} if measured else set())
    if not writers:
        raise DiscoveryError("needs temperature_command_topic or mode_command_topic")
    kind = "air_conditioner" if {"dry", "fan_only"} & set(modes) else "thermostat"
    used = modes if Trait.MODE in writers else ()
    return Part(kind, readers=(*readers, *measured), writers=writers, traits=traits, modes=used)


def _humidifier(config: Config, _: str) -> Part:
    part = _switched(config, "humidifier", "state_topic", "state_value_template")
    topic = config.need("target_humidity_command_topic")
    render = _render(config, "target_humidity_command_template")
    state = "target_humidity_state_topic"
    writer = Writer(lambda value, _: ((topic, render(value)),), config.topic(state) is not None)
    readers = (
        *part.readers,
        *reader(config, state, "target_humidity_state_template", Trait.HUMIDITY, percent_of(0, 100)),
        *reader(
            config, "current_humidity_topic", "current_humidity_template", Trait.CURRENT_HUMIDITY, percent_of(0, 100)
        ),
    )
    traits = {Trait.ON, Trait.HUMIDITY}
    if config.topic("current_humidity_topic") is not None:
        traits.add(Trait.CURRENT_HUMIDITY)
    writers = {**part.writers, Trait.HUMIDITY: writer}
    return Part("humidifier", readers=readers, writers=writers, traits=frozenset(traits))


def _vacuum(config: Config, _: str) -> Part:
    writer = _two(
        config.need("command_topic"),
        config.text("payload_start", "start"),
        config.text("payload_return_to_base", "return_to_base"),
        str,
        config.topic("state_topic") is not None,
    )
    state = config.topic("state_topic")
    readers = () if state is None else (Reader(state, _read_vacuum),)
    traits = frozenset({Trait.CLEANING} | ({Trait.BATTERY} if state is not None else set()))
    return Part("vacuum", readers=readers, writers={Trait.CLEANING: writer}, traits=traits)


def _read_vacuum(payload: str) -> Values:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    values: dict[Trait, TraitValue] = {}
    if isinstance(document.get("state"), str):
        values[Trait.CLEANING] = document["state"] == "cleaning"
    battery = percent_of(0, 100)(str(document.get("battery_level")))
    return values if battery is None else values | {Trait.BATTERY: battery}


def _sensor(config: Config, unit: str) -> Part:
    trait = SENSOR_TRAITS.get(config.text("device_class", ""))
    if trait is None:
        raise DiscoveryError("this class of sensor is not used")
    config.need("state_topic")
    convert: Convert = number_of
    if trait is Trait.CURRENT_TEMPERATURE:
        own = "F" if "F" in config.text("unit_of_measurement", unit).upper() else "C"
        convert = _degrees(own, unit)
    elif trait is not Trait.POWER:
        convert = percent_of(0, 100)
    readers = reader(config, "state_topic", "value_template", trait, convert)
    return Part("sensor", primary=False, readers=readers, traits=frozenset({trait}))


def _binary_sensor(config: Config, _: str) -> Part:
    config.need("state_topic")
    device_class = config.text("device_class", "")
    shown = either(config.text("payload_on", "ON"), config.text("payload_off", "OFF"))
    if device_class in CONTACT_KINDS:
        readers = reader(config, "state_topic", "value_template", Trait.OPEN, shown)
        return Part(CONTACT_KINDS[device_class], readers=readers, traits=frozenset({Trait.OPEN}))
    if device_class in MOTION_CLASSES:
        readers = reader(config, "state_topic", "value_template", Trait.MOTION, shown)
        return Part("sensor", primary=False, readers=readers, traits=frozenset({Trait.MOTION}))
    raise DiscoveryError("this class of binary sensor is not used")


COMPONENTS: dict[str, Build] = {
    "light": lambda config, _: light(config),
    "switch": _switch,
    "fan": _fan,
    "cover": _cover,
    "valve": _valve,
    "lock": _lock,
    "climate": _climate,
    "humidifier": _humidifier,
    "vacuum": _vacuum,
    "sensor": _sensor,
    "binary_sensor": _binary_sensor,
}
SCENES: dict[str, tuple[str, str]] = {"scene": ("payload_on", "ON"), "button": ("payload_press", "PRESS")}
"""Components that only do something once: the key of their payload, and its default."""
