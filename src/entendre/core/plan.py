"""Plans: a reply and actions as data. Planning reads the world and writes nothing; actions run on commit."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from entendre.core.actions import Action
from entendre.core.home import HomeSnapshot


@dataclass(frozen=True, slots=True)
class Plan:
    """What to say and what to do.

    `expects_reply`: the reply asks something, so the microphone opens again without a wake word.
    `refusal`: nothing was done because it was not understood, is ambiguous, or can't be done.
    `question`: the slot that the reply asks for, when it asks for one.
    """

    reply: str = ""
    actions: tuple[Action, ...] = ()
    expects_reply: bool = False
    refusal: bool = False
    question: str | None = None


@dataclass(frozen=True, slots=True)
class TimerView:
    """A timer as planning sees it. `remaining_s` is 0 while it rings."""

    id: str
    name: str | None
    total_s: int
    remaining_s: float
    paused: bool = False
    ringing: bool = False
    device: str | None = None


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm as planning sees it; `next_at` is its next ring, aware, in the home's zone."""

    id: str
    time: str
    days: tuple[str, ...] = ()
    date: str | None = None
    name: str | None = None
    enabled: bool = True
    ringing: bool = False
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReminderView:
    """A reminder as planning sees it; `next_at` is aware, in the home's zone."""

    id: str
    text: str
    next_at: datetime
    days: tuple[str, ...] = ()
    every: str | None = None


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool that a device offers. `parameters` is JSON Schema as text; `sentences` are templates that call it."""

    name: str
    description: str = ""
    parameters: str = "{}"
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceView:
    """The speaker that was spoken to. `tool_definitions` says more about some of `tools`; `media` is what plays.

    `assistant`: what its assistant is called; None as usual.
    """

    id: str = ""
    room: str | None = None
    volume: int | None = None
    muted: bool = False
    playing: bool = False
    speaking: bool = False
    tools: tuple[str, ...] = ()
    tool_definitions: tuple[ToolDefinition, ...] = ()
    media: str | None = None
    assistant: str | None = None


@dataclass(frozen=True, slots=True)
class Mentioned:
    """What the last turns were about, for "it", "there" and "in the bedroom too".

    `intent` and `slots` are those of the last command that was understood.
    """

    intent: str | None = None
    slots: dict[str, object] = field(default_factory=dict)
    appliances: tuple[str, ...] = ()
    room: str | None = None
    reply: str = ""
    question: str | None = None
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class World:
    """Everything that planning may read, at one moment. `now` is aware, in the home's zone."""

    now: datetime
    home: HomeSnapshot = field(default_factory=HomeSnapshot)
    device: DeviceView = field(default_factory=DeviceView)
    timers: tuple[TimerView, ...] = ()
    alarms: tuple[AlarmView, ...] = ()
    reminders: tuple[ReminderView, ...] = ()
    mentioned: Mentioned = field(default_factory=Mentioned)
    rooms_with_speakers: tuple[str, ...] = ()
