"""A home and a world for tests of understanding."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from entendre.core.home import Appliance, HomeSnapshot, ItemList, Room, Scene
from entendre.core.plan import DeviceView, World

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=ZoneInfo("Europe/Berlin"))


def _names(*names: str) -> dict[str, tuple[str, ...]]:
    return {"en": names}


def _appliance(identifier: str, kind: str, name: str, room: str | None) -> Appliance:
    return Appliance(identifier, kind, _names(name), room=room)


HOME = HomeSnapshot(
    rooms=(
        Room("kitchen", _names("Kitchen"), floor="downstairs"),
        Room("living_room", _names("Living room", "Lounge"), floor="downstairs"),
        Room("hallway", _names("Hallway"), floor="downstairs"),
        Room("bedroom", _names("Bedroom"), floor="upstairs"),
        Room("bathroom", _names("Bathroom"), floor="upstairs"),
        Room("office", _names("Office"), floor="upstairs"),
    ),
    floors={"downstairs": _names("Downstairs", "Ground floor"), "upstairs": _names("Upstairs")},
    appliances=(
        _appliance("kitchen_light", "light", "Kitchen light", "kitchen"),
        _appliance("living_lamp", "light", "Living room lamp", "living_room"),
        _appliance("ceiling_light", "light", "Ceiling light", "living_room"),
        _appliance("hall_light", "light", "Hallway light", "hallway"),
        _appliance("bedroom_lamp", "light", "Bedroom lamp", "bedroom"),
        _appliance("desk_lamp", "light", "Desk lamp", "office"),
        _appliance("coffee_machine", "switch", "Coffee machine", "kitchen"),
        _appliance("bedroom_fan", "fan", "Fan", "bedroom"),
        _appliance("thermostat", "thermostat", "Thermostat", "living_room"),
        _appliance("living_blinds", "blind", "Living room blinds", "living_room"),
        _appliance("bedroom_curtains", "curtain", "Bedroom curtains", "bedroom"),
        _appliance("front_door", "lock", "Front door", "hallway"),
        _appliance("garage_door", "garage_door", "Garage door", None),
        _appliance("tv", "tv", "TV", "living_room"),
        _appliance("vacuum", "vacuum", "Vacuum", "living_room"),
        _appliance("bathroom_heater", "heater", "Bathroom heater", "bathroom"),
    ),
    scenes=(Scene("movie_night", _names("Movie night")), Scene("good_night", _names("Good night"))),
    lists=(ItemList("shopping", _names("Shopping list")), ItemList("todo", _names("To do list"))),
    time_zone="Europe/Berlin",
)


def world(**changes: object) -> World:
    """The test world, with changes."""
    values: dict[str, object] = {"now": NOW, "home": HOME, "device": DeviceView(id="speaker", room="living_room")}
    return World(**(values | changes))  # type: ignore[arg-type]
