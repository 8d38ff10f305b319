"""Lights in the default, JSON and template schemas."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from entendre.core.actions import Trait, TraitValue
from entendre.core.colors import COLORS, Rgb, from_hue_saturation, from_xy, hue_saturation, nearest, xy
from entendre.home.mqtt.discovery import DiscoveryError
from entendre.home.mqtt.part import (
    Config,
    Part,
    Publish,
    Reader,
    Values,
    Writer,
    checked,
    either,
    number_of,
    percent_of,
    reader,
    scaled,
)
from entendre.home.mqtt.templates import UnsupportedTemplateError, command_template

MIRED_KELVIN = 1_000_000
_COLOR_MODES = ("xy", "hs", "rgb", "rgbw", "rgbww")


def light(config: Config) -> Part:
    """A light of any schema. Raises: DiscoveryError."""
    schema = config.text("schema", "basic")
    if schema == "json":
        return _json_light(config)
    return _template_light(config) if schema == "template" else _basic_light(config)


def _rgb_of(color: TraitValue) -> Rgb:
    return COLORS.get(str(color), (255, 255, 255))


def _kelvin_of(text: str, in_kelvin: bool) -> TraitValue | None:
    value = number_of(text)
    if value is None or value <= 0:
        return None
    kelvin = value if in_kelvin else MIRED_KELVIN / value
    return round(kelvin) if 1000 <= kelvin <= 12000 else None


def _temperature_out(kelvin: TraitValue, in_kelvin: bool) -> int:
    return round(float(kelvin) if in_kelvin else MIRED_KELVIN / float(kelvin))


# --- the default schema: a topic for everything -----------------------------------------------------------------------


def _basic_light(config: Config) -> Part:
    command = config.need("command_topic")
    on, off = config.text("payload_on", "ON"), config.text("payload_off", "OFF")
    template = "state_value_template" if config.template("state_value_template") is not None else "value_template"
    readers = list(reader(config, "state_topic", template, Trait.ON, either(on, off)))
    writers = {
        Trait.ON: Writer(lambda value, _: ((command, on if value else off),), config.topic("state_topic") is not None)
    }
    _add_brightness(config, readers, writers, (command, on))
    _add_color(config, readers, writers, (command, on))
    _add_color_temperature(config, readers, writers, (command, on))
    return Part("light", readers=tuple(readers), writers=writers, traits=frozenset(writers))


def _after_on(config: Config, publish: Callable[[TraitValue], Publish], switch: Publish) -> Writer:
    """Setting a level also switches on, in the order that the light wants."""
    order = config.text("on_command_type", "last")

    def write(value: TraitValue, _: Values) -> tuple[Publish, ...]:
        level = publish(value)
        if order == "brightness":
            return (level,)
        return (switch, level) if order == "first" else (level, switch)

    return Writer(write)


def _command(config: Config, name: str) -> Callable[[Mapping[str, Any]], str]:
    try:
        return command_template(config.template(name))
    except UnsupportedTemplateError as error:
        raise DiscoveryError(str(error)) from error


def _add_brightness(config: Config, readers: list[Reader], writers: dict[Trait, Writer], switch: Publish) -> None:
    topic = config.topic("brightness_command_topic")
    if topic is None:
        return
    scale = config.number("brightness_scale", 255)
    render = _command(config, "brightness_command_template")

    def publish(value: TraitValue) -> Publish:
        return topic, render({"value": scaled(value, 0, scale)})

    level = _after_on(config, publish, switch)

    def write(value: TraitValue, state: Values) -> tuple[Publish, ...]:
        return (publish(value),) if not value else level.write(value, state)

    writers[Trait.BRIGHTNESS] = Writer(write, config.topic("brightness_state_topic") is not None)
    readers += reader(
        config, "brightness_state_topic", "brightness_value_template", Trait.BRIGHTNESS, percent_of(0, scale)
    )


def _add_color(config: Config, readers: list[Reader], writers: dict[Trait, Writer], switch: Publish) -> None:
    for mode, out, back in (("rgb", _as_rgb, _from_rgb), ("hs", _as_hs, _from_hs), ("xy", _as_xy, _from_xy)):
        topic = config.topic(f"{mode}_command_topic")
        if topic is None:
            continue
        render = _command(config, f"{mode}_command_template")
        writer = _after_on(config, _color_publish(topic, out, render), switch)
        writers[Trait.COLOR] = Writer(writer.write, config.topic(f"{mode}_state_topic") is not None)
        readers += reader(config, f"{mode}_state_topic", f"{mode}_value_template", Trait.COLOR, back)
        return


def _color_publish(
    topic: str, out: Callable[[Rgb], str], render: Callable[[Mapping[str, Any]], str]
) -> Callable[[TraitValue], Publish]:
    def publish(color: TraitValue) -> Publish:
        red, green, blue = rgb = _rgb_of(color)
        return topic, render({"value": out(rgb), "red": red, "green": green, "blue": blue})

    return publish


def _as_rgb(rgb: Rgb) -> str:
    return ",".join(map(str, rgb))


def _as_hs(rgb: Rgb) -> str:
    return ",".join(f"{part:g}" for part in hue_saturation(rgb))


def _as_xy(rgb: Rgb) -> str:
    return ",".join(f"{part:g}" for part in xy(rgb))


def _parts(text: str, count: int) -> list[float] | None:
    """The numbers of "r,g,b" or "[r, g, b]"; Tasmota's hexadecimal colour counts too."""
    text = text.strip("[]() ")
    if count == 3 and len(text) >= 6 and all(each in "0123456789abcdefABCDEF" for each in text[:6]) and "," not in text:
        return [float(int(text[index : index + 2], 16)) for index in (0, 2, 4)]
    numbers = [number_of(each) for each in text.split(",")[:count]]
    found = [each for each in numbers if each is not None]
    return found if len(found) == count else None


def _from_rgb(text: str) -> TraitValue | None:
    parts = _parts(text, 3)
    return None if parts is None else nearest(_clipped(parts))


def _from_hs(text: str) -> TraitValue | None:
    parts = _parts(text, 2)
    return None if parts is None else nearest(from_hue_saturation(parts[0], parts[1]))


def _from_xy(text: str) -> TraitValue | None:
    parts = _parts(text, 2)
    return None if parts is None else nearest(from_xy(parts[0], parts[1]))


def _clipped(parts: list[float]) -> Rgb:
    red, green, blue = (round(min(max(part, 0), 255)) for part in parts[:3])
    return red, green, blue


def _add_color_temperature(
    config: Config, readers: list[Reader], writers: dict[Trait, Writer], switch: Publish
) -> None:
    topic = config.topic("color_temp_command_topic")
    if topic is None:
        return
    in_kelvin = config.flag("color_temp_kelvin")
    render = _command(config, "color_temp_command_template")
    writer = _after_on(config, lambda kelvin: (topic, render({"value": _temperature_out(kelvin, in_kelvin)})), switch)
    writers[Trait.COLOR_TEMPERATURE] = Writer(writer.write, config.topic("color_temp_state_topic") is not None)
    readers += reader(
        config,
        "color_temp_state_topic",
        "color_temp_value_template",
        Trait.COLOR_TEMPERATURE,
        lambda text: _kelvin_of(text, in_kelvin),
    )


# --- the JSON schema: one object for everything -----------------------------------------------------------------------


def _json_light(config: Config) -> Part:
    command, state = config.need("command_topic"), config.topic("state_topic")
    scale, in_kelvin = config.number("brightness_scale", 255), config.flag("color_temp_kelvin")
    modes = config.texts("supported_color_modes")
    color = next((mode for mode in _COLOR_MODES if mode in modes or config.flag(mode)), None)
    echoed = state is not None

    def sending(build: Callable[[TraitValue], dict[str, Any]]) -> Writer:
        return Writer(lambda value, _: ((command, json.dumps(build(value))),), echoed)

    writers = {Trait.ON: sending(lambda value: {"state": "ON" if value else "OFF"})}
    if config.flag("brightness") or any(mode != "onoff" for mode in modes):
        writers[Trait.BRIGHTNESS] = sending(
            lambda value: {"state": "ON", "brightness": scaled(value, 0, scale)} if value else {"state": "OFF"}
        )
    if color is not None:
        writers[Trait.COLOR] = sending(lambda value: {"state": "ON", "color": _json_color(color, _rgb_of(value))})
    if "color_temp" in modes or config.flag("color_temp"):
        writers[Trait.COLOR_TEMPERATURE] = sending(
            lambda value: {"state": "ON", "color_temp": _temperature_out(value, in_kelvin)}
        )
    readers = () if state is None else (Reader(state, lambda payload: _read_json(payload, scale, in_kelvin)),)
    return Part("light", readers=readers, writers=writers, traits=frozenset(writers))


def _json_color(mode: str, rgb: Rgb) -> dict[str, float]:
    if mode == "xy":
        x, y = xy(rgb)
        return {"x": x, "y": y}
    if mode == "hs":
        hue, saturation = hue_saturation(rgb)
        return {"h": hue, "s": saturation}
    return dict(zip("rgb", rgb, strict=True))


def _read_json(payload: str, scale: float, in_kelvin: bool) -> Values:
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    values: dict[Trait, TraitValue | None] = {
        Trait.ON: {"ON": True, "OFF": False}.get(str(document.get("state"))),
        Trait.BRIGHTNESS: percent_of(0, scale)(str(document.get("brightness"))),
        Trait.COLOR_TEMPERATURE: _kelvin_of(str(document.get("color_temp")), in_kelvin),
    }
    color = document.get("color")
    if isinstance(color, dict) and document.get("color_mode") not in ("color_temp", "onoff", "brightness", "white"):
        values[Trait.COLOR] = _color_in(color)
    return {trait: value for trait, value in values.items() if value is not None}


def _color_in(color: Mapping[str, Any]) -> TraitValue | None:
    for keys, decode in (("rgb", _from_rgb), ("xy", _from_xy), ("hs", _from_hs)):
        if all(isinstance(color.get(key), int | float) for key in keys):
            return decode(",".join(str(color[key]) for key in keys))
    hue, saturation = color.get("hue"), color.get("saturation")
    return None if hue is None or saturation is None else _from_hs(f"{hue},{saturation}")


# --- the template schema: templates for everything --------------------------------------------------------------------


def _template_light(config: Config) -> Part:
    command, state = config.need("command_topic"), config.topic("state_topic")
    render_on, render_off = _command(config, "command_on_template"), _command(config, "command_off_template")
    echoed = state is not None

    def on(name: str, convert: Callable[[TraitValue], Any]) -> Writer:
        def write(value: TraitValue, _: Values) -> tuple[Publish, ...]:
            converted = convert(value)
            values = converted if isinstance(converted, dict) else {name: converted}
            return ((command, render_on({"state": "on", **values})),)

        return Writer(write, echoed)

    switch = Writer(
        lambda value, _: ((command, (render_on if value else render_off)({"state": "on" if value else "off"})),), echoed
    )
    readers = list(reader(config, "state_topic", "state_template", Trait.ON, either("on", "off")))
    writers = {Trait.ON: switch}
    if config.template("brightness_template") is not None:
        writers[Trait.BRIGHTNESS] = on("brightness", lambda value: scaled(value, 0, 255))
        readers += reader(config, "state_topic", "brightness_template", Trait.BRIGHTNESS, percent_of(0, 255))
    if config.template("color_temp_template") is not None:
        in_kelvin = config.flag("color_temp_kelvin")
        writers[Trait.COLOR_TEMPERATURE] = on("color_temp", lambda value: _temperature_out(value, in_kelvin))
        readers += reader(
            config,
            "state_topic",
            "color_temp_template",
            Trait.COLOR_TEMPERATURE,
            lambda text: _kelvin_of(text, in_kelvin),
        )
    colors = [config.template(f"{name}_template") for name in ("red", "green", "blue")]
    if all(each is not None for each in colors):
        writers[Trait.COLOR] = on(
            "color", lambda value: dict(zip(("red", "green", "blue"), _rgb_of(value), strict=True))
        )
        readers += _template_color(state, colors)
    return Part("light", readers=tuple(readers), writers=writers, traits=frozenset(writers))


def _template_color(state: str | None, colors: list[object]) -> tuple[Reader, ...]:
    if state is None:
        return ()
    decoders = [checked(each) for each in colors]

    def read(payload: str) -> Values:
        texts = [decode(payload) for decode in decoders]
        color = _from_rgb(",".join(each or "" for each in texts))
        return {} if color is None else {Trait.COLOR: color}

    return (Reader(state, read),)
