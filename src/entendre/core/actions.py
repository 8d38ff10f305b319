"""The closed set of things a plan can do, as data with canonical values. Documented in docs/actions.md.

Units: seconds, percent (0-100), degrees in the home's unit, `HH:MM` (24 h), ISO 8601 dates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, Literal

TraitValue = bool | int | float | str

EVERYWHERE = "everywhere"
"""The room that is every room."""


class Trait(StrEnum):
    """What can be set or asked of an appliance; the comment gives the value's type and unit."""

    ON = "on"  # bool
    BRIGHTNESS = "brightness"  # percent
    COLOR = "color"  # CSS colour keyword, such as "red" or "warmwhite"
    COLOR_TEMPERATURE = "color_temperature"  # kelvin
    TEMPERATURE = "temperature"  # target, degrees in the home's unit
    CURRENT_TEMPERATURE = "current_temperature"  # read only, degrees in the home's unit
    HUMIDITY = "humidity"  # target, percent
    CURRENT_HUMIDITY = "current_humidity"  # read only, percent
    MODE = "mode"  # "heat", "cool", "auto", "dry", "fan_only", "off", or a mode that the appliance names
    POSITION = "position"  # percent open
    LOCKED = "locked"  # bool
    SPEED = "speed"  # percent
    OSCILLATING = "oscillating"  # bool
    VOLUME = "volume"  # percent
    MUTED = "muted"  # bool
    PLAYING = "playing"  # bool
    CLEANING = "cleaning"  # bool; False sends a vacuum to its dock
    OPEN = "open"  # read only bool: a contact sensor
    MOTION = "motion"  # read only bool
    BATTERY = "battery"  # read only percent
    POWER = "power"  # read only watts


@dataclass(frozen=True, slots=True)
class SetTrait:
    """Bring one appliance's trait to a value."""

    type: ClassVar[str] = "set_trait"
    appliance: str
    trait: Trait
    value: TraitValue


@dataclass(frozen=True, slots=True)
class AdjustTrait:
    """Change one appliance's trait by a signed step in the trait's unit, clamped to its range."""

    type: ClassVar[str] = "adjust_trait"
    appliance: str
    trait: Trait
    delta: float


@dataclass(frozen=True, slots=True)
class ActivateScene:
    """Run a scene of the home."""

    type: ClassVar[str] = "activate_scene"
    scene: str


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Start a countdown on this speaker."""

    type: ClassVar[str] = "start_timer"
    seconds: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeTimer:
    """Pause, resume, cancel, restart, or lengthen (signed `seconds`) timers; `timer` is an id, or "all"."""

    type: ClassVar[str] = "change_timer"
    timer: str
    change: Literal["pause", "resume", "cancel", "restart", "add"]
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class CreateAlarm:
    """Wake at a wall time, once on a date or on weekdays.

    `days`: of "mon" … "sun", empty for once; `date`: ISO date of a single alarm.
    """

    type: ClassVar[str] = "create_alarm"
    time: str
    date: str | None = None
    days: tuple[str, ...] = ()
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ChangeAlarm:
    """Change an alarm: "skip" passes over its next ring, "move" takes `time`, "snooze" takes `seconds`.

    `alarm` is an id, or "all".
    """

    type: ClassVar[str] = "change_alarm"
    alarm: str
    change: Literal["cancel", "enable", "disable", "skip", "move", "snooze"]
    time: str | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class CreateReminder:
    """Say `text` at a local date and time; `days` repeats it weekly, `every` "day", "week", "month" or "year"."""

    type: ClassVar[str] = "create_reminder"
    text: str
    date: str
    time: str
    days: tuple[str, ...] = ()
    every: Literal["day", "week", "month", "year"] | None = None


@dataclass(frozen=True, slots=True)
class ChangeReminder:
    """Cancel a reminder; `reminder` is an id of the world, or "all"."""

    type: ClassVar[str] = "change_reminder"
    reminder: str
    change: Literal["cancel"]


@dataclass(frozen=True, slots=True)
class AddItem:
    """Put an item on a list, which is made if it is missing."""

    type: ClassVar[str] = "add_item"
    list: str
    item: str
    quantity: str | None = None


@dataclass(frozen=True, slots=True)
class RemoveItem:
    """Take an item off a list."""

    type: ClassVar[str] = "remove_item"
    list: str
    item: str


@dataclass(frozen=True, slots=True)
class CompleteItem:
    """Tick an item of a list."""

    type: ClassVar[str] = "complete_item"
    list: str
    item: str


@dataclass(frozen=True, slots=True)
class ClearList:
    """Take everything off a list."""

    type: ClassVar[str] = "clear_list"
    list: str


@dataclass(frozen=True, slots=True)
class SetVolume:
    """This speaker's volume, absolute in percent."""

    type: ClassVar[str] = "set_volume"
    percent: int


@dataclass(frozen=True, slots=True)
class AdjustVolume:
    """This speaker's volume, by a signed step in percent points."""

    type: ClassVar[str] = "adjust_volume"
    delta: int


@dataclass(frozen=True, slots=True)
class SetMuted:
    """Mute or unmute this speaker's sound."""

    type: ClassVar[str] = "set_muted"
    muted: bool


@dataclass(frozen=True, slots=True)
class ControlMedia:
    """Media on this speaker, on `appliance`, or on the speakers of `room` ("everywhere": on all).

    `query` says what to play, `url` where the sound of it is.
    """

    type: ClassVar[str] = "control_media"
    command: Literal["play", "pause", "resume", "stop", "next", "previous"]
    query: str | None = None
    appliance: str | None = None
    url: str | None = None
    room: str | None = None


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Say a text on other speakers; no room means every speaker."""

    type: ClassVar[str] = "broadcast"
    text: str
    room: str | None = None


@dataclass(frozen=True, slots=True)
class StopRinging:
    """Silence whatever rings on this speaker: timers, alarms, reminders."""

    type: ClassVar[str] = "stop_ringing"


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """End the reply that is being spoken and whatever plays."""

    type: ClassVar[str] = "stop_speaking"


@dataclass(frozen=True, slots=True)
class CallDeviceTool:
    """Call a tool that this device offers; `arguments` is a JSON object as text."""

    type: ClassVar[str] = "call_device_tool"
    tool: str
    arguments: str


Action = (
    SetTrait
    | AdjustTrait
    | ActivateScene
    | StartTimer
    | ChangeTimer
    | CreateAlarm
    | ChangeAlarm
    | CreateReminder
    | ChangeReminder
    | AddItem
    | RemoveItem
    | CompleteItem
    | ClearList
    | SetVolume
    | AdjustVolume
    | SetMuted
    | ControlMedia
    | Broadcast
    | StopRinging
    | StopSpeaking
    | CallDeviceTool
)

ACTION_TYPES: dict[str, type[Action]] = {kind.type: kind for kind in Action.__args__}


def action_to_json(action: Action) -> dict[str, Any]:
    """An action as a JSON object: `type` and every field that is not empty."""
    values = {field.name: getattr(action, field.name) for field in fields(action)}
    document: dict[str, Any] = {"type": action.type}
    for name, value in values.items():
        if value is None or value == ():
            continue
        document[name] = list(value) if isinstance(value, tuple) else value
    return document


def action_from_json(document: dict[str, Any]) -> Action:
    """The action that `action_to_json` wrote.

    Raises: ValueError for an unknown type, TypeError for unknown or missing fields.
    """
    kind: Callable[..., Action] | None = ACTION_TYPES.get(str(document.get("type")))
    if kind is None:
        raise ValueError(f"unknown action type {document.get('type')!r}")
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in document.items() if name != "type"
    }
    if "trait" in values:
        values["trait"] = Trait(values["trait"])
    return kind(**values)
