"""Discovery messages as Zigbee2MQTT, Tasmota, ESPHome and device-based discovery publish them, as appliances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from entendre.core.actions import Trait, TraitValue
from entendre.core.colors import COLORS, from_hue_saturation, from_xy, hue_saturation, nearest, xy
from entendre.core.home import Appliance, HomeSnapshot, Room
from entendre.home.mqtt.components import part_of
from entendre.home.mqtt.discovery import MAX_CONFIG_BYTES, DiscoveryError, parse
from entendre.home.mqtt.part import Part
from entendre.home.mqtt.registry import Composed, Registry

PAYLOADS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "mqtt_payloads.json").read_text())
HOME = HomeSnapshot(
    rooms=tuple(Room(name.replace(" ", "_"), {"en": (name,)}) for name in ("living room", "kitchen", "bedroom", "room"))
)


def registry_of(payloads: dict[str, dict[str, Any]]) -> Registry:
    registry = Registry()
    for topic, payload in payloads.items():
        registry.announce(topic, parse(topic, json.dumps(payload).encode(), "homeassistant"), "C")
    return registry


def composed(registry: Registry) -> dict[str, Composed]:
    devices = {entity.device for entity in registry.entities.values()}
    return {each.appliance.names[""][0]: each for device in sorted(devices) for each in registry.compose(device, HOME)}


ALL = composed(registry_of(PAYLOADS))


def reading(made: Composed, topic: str, payload: object) -> dict[Trait, TraitValue]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    values: dict[Trait, TraitValue] = {}
    for reader in made.part.readers:
        if reader.topic == topic:
            values |= reader.read(text)
    return values


def writing(made: Composed, trait: Trait, value: TraitValue) -> list[tuple[str, Any]]:
    out = []
    for topic, payload in made.part.writers[trait].write(value, {}):
        out.append((topic, json.loads(payload) if payload.startswith("{") else payload))
    return out


def test_what_is_found() -> None:
    found = {name: (each.appliance.kind, each.appliance.room) for name, each in ALL.items()}
    assert found == {
        "living room lamp": ("light", "living_room"),
        "Hall Strip": ("light", None),
        "kitchen window": ("window", "kitchen"),
        "bedroom climate": ("sensor", "bedroom"),
        "bathroom radiator": ("thermostat", None),
        "office blinds": ("blind", None),
        "back door": ("lock", None),
        "Coffee Machine": ("switch", "kitchen"),
        "Desk Light": ("light", "office"),
        "Bedroom Fan": ("fan", "bedroom"),
        "Garage Door": ("garage_door", "garage"),
        "Garage Light": ("light", "garage"),
        "Garage node": ("sensor", "garage"),
    }


def test_a_template_that_is_not_supported_leaves_its_entity_out() -> None:
    topic = "homeassistant/lock/x/config"
    lock = {"cmd_t": "x", "stat_t": "y", "val_tpl": "{% for a in value %}{{ a }}{% endfor %}"}
    assert composed(registry_of({topic: lock})) == {}


def test_zigbee2mqtt_light() -> None:
    lamp = ALL["living room lamp"]
    assert lamp.appliance.traits == {Trait.ON, Trait.BRIGHTNESS, Trait.COLOR, Trait.COLOR_TEMPERATURE}
    topic = "zigbee2mqtt/living room lamp"
    state = {
        "state": "ON",
        "brightness": 127,
        "color_mode": "color_temp",
        "color_temp": 370,
        "color": {"x": 0.46, "y": 0.41},
    }
    assert reading(lamp, topic, state) == {Trait.ON: True, Trait.BRIGHTNESS: 50, Trait.COLOR_TEMPERATURE: 2703}
    state = {"state": "OFF", "color_mode": "xy", "color": {"x": 0.7006, "y": 0.2993}}
    assert reading(lamp, topic, state) == {Trait.ON: False, Trait.COLOR: "red"}
    assert writing(lamp, Trait.ON, False) == [(topic + "/set", {"state": "OFF"})]
    assert writing(lamp, Trait.BRIGHTNESS, 50) == [(topic + "/set", {"state": "ON", "brightness": 127})]
    assert writing(lamp, Trait.COLOR_TEMPERATURE, 2700) == [(topic + "/set", {"state": "ON", "color_temp": 370})]
    assert writing(lamp, Trait.COLOR, "red") == [(topic + "/set", {"state": "ON", "color": {"x": 0.6401, "y": 0.33}})]
    assert reading(lamp, topic, "garbage") == reading(lamp, topic, "[]") == {}


def test_zigbee2mqtt_availability_needs_bridge_and_device() -> None:
    bridge, device = ALL["living room lamp"].availability
    assert ALL["living room lamp"].mode == "all"
    assert bridge.read('{"state":"online"}') is True
    assert device.read('{"state":"offline"}') is False
    assert device.read("?") is None


def test_sensors_of_a_device_join_what_it_is() -> None:
    window = ALL["kitchen window"]
    assert window.appliance.traits == {Trait.OPEN, Trait.BATTERY}
    state = {"contact": False, "battery": 87.5}
    assert reading(window, "zigbee2mqtt/kitchen_window", state) == {Trait.OPEN: True, Trait.BATTERY: 88}
    climate = ALL["bedroom climate"]
    state = {"temperature": 19.46, "humidity": 48.2}
    assert reading(climate, "zigbee2mqtt/bedroom climate", state) == {
        Trait.CURRENT_TEMPERATURE: 19.5,
        Trait.CURRENT_HUMIDITY: 48,
    }


def test_zigbee2mqtt_radiator() -> None:
    radiator = ALL["bathroom radiator"]
    assert radiator.appliance.modes == ("off", "heat", "auto")
    topic = "zigbee2mqtt/bathroom radiator"
    state = {"local_temperature": 21.2, "occupied_heating_setpoint": 22, "system_mode": "heat", "child_lock": "UNLOCK"}
    assert reading(radiator, topic, state) == {
        Trait.CURRENT_TEMPERATURE: 21.2,
        Trait.TEMPERATURE: 22,
        Trait.MODE: "heat",
    }
    assert writing(radiator, Trait.TEMPERATURE, 21.5) == [(topic + "/set/occupied_heating_setpoint", "21.5")]
    assert writing(radiator, Trait.TEMPERATURE, 90) == [(topic + "/set/occupied_heating_setpoint", "30")]
    assert writing(radiator, Trait.MODE, "off") == [(topic + "/set/system_mode", "off")]


def test_covers_and_locks() -> None:
    blinds, topic = ALL["office blinds"], "zigbee2mqtt/office blinds"
    assert writing(blinds, Trait.POSITION, 40) == [(topic + "/set", {"position": 40})]
    assert writing(blinds, Trait.POSITION, 100) == [(topic + "/set", "OPEN")]
    assert writing(blinds, Trait.POSITION, 0) == [(topic + "/set", "CLOSE")]
    assert reading(blinds, topic, {"position": 35}) == {Trait.POSITION: 35}
    garage = ALL["Garage Door"]
    assert writing(garage, Trait.POSITION, 100) == [("garage/door/set", "OPEN")]
    assert reading(garage, "garage/door/state", "open") == {Trait.POSITION: 100}
    assert reading(garage, "garage/door/state", "opening") == {}
    lock = ALL["back door"]
    assert writing(lock, Trait.LOCKED, True) == [("zigbee2mqtt/back door/set", "LOCK")]
    assert reading(lock, "zigbee2mqtt/back door", {"state": "UNLOCK"}) == {Trait.LOCKED: False}


def test_tasmota() -> None:
    coffee = ALL["Coffee Machine"]
    assert coffee.appliance.traits == {Trait.ON, Trait.POWER}
    assert coffee.appliance.names[""] == ("Coffee Machine",)
    assert reading(coffee, "tele/coffee/STATE", {"POWER": "ON", "Wifi": {"RSSI": 88}}) == {Trait.ON: True}
    assert reading(coffee, "tele/coffee/SENSOR", {"ENERGY": {"Power": 1200}}) == {Trait.POWER: 1200}
    assert writing(coffee, Trait.ON, True) == [("cmnd/coffee/POWER", "ON")]
    assert coffee.availability[0].read("Offline") is False
    made = ALL["Hall Strip"]
    assert writing(made, Trait.BRIGHTNESS, 30) == [("strip/cmnd/Dimmer", "30")]
    assert writing(made, Trait.COLOR, "blue") == [("strip/cmnd/Color2", "0,0,255")]
    state = {"POWER": "ON", "Dimmer": 55, "Color": "255,0,0,0,0"}
    assert reading(made, "strip/tele/STATE", state) == {Trait.ON: True, Trait.BRIGHTNESS: 55, Trait.COLOR: "red"}


def test_esphome() -> None:
    light, topic = ALL["Desk Light"], "desk/light/desk_light"
    assert light.appliance.names[""] == ("Desk Light",)
    assert writing(light, Trait.COLOR, "red") == [
        (topic + "/command", {"state": "ON", "color": {"r": 255, "g": 0, "b": 0}})
    ]
    assert writing(light, Trait.COLOR_TEMPERATURE, 4000) == [(topic + "/command", {"state": "ON", "color_temp": 4000})]
    fan, topic = ALL["Bedroom Fan"], "bedfan/fan/bedroom_fan"
    assert writing(fan, Trait.SPEED, 66) == [(topic + "/speed_level/command", "2")]
    assert reading(fan, topic + "/speed_level/state", "3") == {Trait.SPEED: 100}
    assert writing(fan, Trait.OSCILLATING, True) == [(topic + "/oscillation/command", "oscillate_on")]


def test_device_discovery_with_fahrenheit_and_scene() -> None:
    sensor = ALL["Garage node"]
    assert reading(sensor, "garage/temperature", "50") == {Trait.CURRENT_TEMPERATURE: 10.0}
    assert [each.topic for each in ALL["Garage Light"].availability] == ["garage/status"]
    scenes = registry_of(PAYLOADS).scenes
    assert [(each.scene.names[""], each.topic, each.payload) for each in scenes.values()] == [
        (("Evening",), "hub/scene/set", "evening")
    ]


def test_an_empty_message_takes_an_entity_back() -> None:
    registry = registry_of(PAYLOADS)
    topic = "homeassistant/device/garage-node/config"
    assert registry.announce(topic, parse(topic, b"", "homeassistant"), "C") == {"garage-node"}
    assert registry.compose("garage-node", HOME) == []


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("homeassistant/light/x/config", b"{"),
        ("homeassistant/light/x/config", b"[]"),
        ("homeassistant/light/x/config", b"[" * 100_000),
        ("homeassistant/light/x/config", b" " * (MAX_CONFIG_BYTES + 1)),
        ("homeassistant/light/x/config", b'{"cmd_t": "a/#", "stat_t": "b"}'),
        ("homeassistant/light/x/config", b'{"cmd_t": 5}'),
        ("homeassistant/light/x/config", b'{"avty": {"t": "+/status"}}'),
        ("homeassistant/device/x/config", b'{"dev": {"ids": "x"}}'),
        ("homeassistant/a/b/c/d/config", b"{}"),
        ("other/light/x/config", b"{}"),
    ],
)
def test_bad_messages_are_refused(topic: str, payload: bytes) -> None:
    with pytest.raises(DiscoveryError):
        parse(topic, payload, "homeassistant")


@pytest.mark.parametrize(
    "component", ["light", "switch", "fan", "cover", "valve", "lock", "climate", "humidifier", "vacuum"]
)
def test_components_without_topics_are_refused(component: str) -> None:
    with pytest.raises(DiscoveryError):
        part_of(component, {}, "C")


def part(component: str, **config: object) -> Part:
    return part_of(component, config, "C")


def test_vacuum_valve_humidifier_and_template_light() -> None:
    vacuum = part("vacuum", command_topic="v/set", state_topic="v/state")
    assert vacuum.readers[0].read('{"state": "cleaning", "battery_level": 61}') == {
        Trait.CLEANING: True,
        Trait.BATTERY: 61,
    }
    assert vacuum.writers[Trait.CLEANING].write(False, {}) == (("v/set", "return_to_base"),)
    valve = part("valve", command_topic="w/set", state_topic="w", reports_position=True)
    assert valve.writers[Trait.POSITION].write(40, {}) == (("w/set", "40"),)
    assert part("valve", command_topic="w").writers[Trait.POSITION].write(0, {}) == (("w", "CLOSE"),)
    humidifier = part("humidifier", command_topic="h", target_humidity_command_topic="h/target")
    assert humidifier.writers[Trait.HUMIDITY].write(45, {}) == (("h/target", "45"),)
    light = part(
        "light",
        schema="template",
        command_topic="t/set",
        state_topic="t",
        command_on_template="on,{{ brightness|d }},{{ red|d }}-{{ green|d }}-{{ blue|d }}",
        command_off_template="off",
        state_template="{{ value_json.s }}",
        brightness_template="{{ value_json.b }}",
        red_template="{{ value_json.r }}",
        green_template="{{ value_json.g }}",
        blue_template="{{ value_json.l }}",
    )
    assert light.writers[Trait.BRIGHTNESS].write(100, {}) == (("t/set", "on,255,--"),)
    assert light.writers[Trait.ON].write(False, {}) == (("t/set", "off"),)
    values: dict[Trait, TraitValue] = {}
    for each in light.readers:
        values |= each.read('{"s": "on", "b": 128, "r": 0, "g": 255, "l": 0}')
    assert values == {Trait.ON: True, Trait.BRIGHTNESS: 50, Trait.COLOR: "lime"}


@pytest.mark.parametrize("name", ["red", "lime", "blue", "yellow", "hotpink", "orange"])
def test_colors_survive_every_space(name: str) -> None:
    rgb = COLORS[name]
    assert nearest(rgb) == name
    assert nearest(from_hue_saturation(*hue_saturation(rgb))) == name
    assert nearest(from_xy(*xy(rgb))) == name


def test_an_appliance_has_one_id_for_life() -> None:
    first: Appliance = ALL["Desk Light"].appliance
    assert first.id == "mqtt.ESPlightdesk_light"
