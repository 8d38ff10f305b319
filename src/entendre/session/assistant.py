"""What all conversations of a process share: engines, the planner, the household's state, and the limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from entendre.core.actions import Action, CallDeviceTool, ControlMedia
from entendre.core.clock import Clock
from entendre.core.plan import DeviceView, Mentioned, Plan, World
from entendre.core.understanding import Understanding
from entendre.ports import MediaSource, Recognizer, Vad, Voice, WakeWord
from entendre.ports.households import TurnRecord
from entendre.session.announcing import Announcement, Audience, Speaker
from entendre.session.arbiter import Arbiter

Respelling = Callable[[str, World], Understanding | None]
"""What a sentence means if it is spelled by its sound, with that spelling as `text`; None if that is not sure."""


class Planner(Protocol):
    """Understanding and planning; `entendre.skills.planner` provides it."""

    def prepare(self, languages: Sequence[str]) -> None:
        """Have languages ready that will be spoken soon, without waiting for them."""
        ...

    async def ready(self, languages: Sequence[str]) -> None:
        """Wait until sentences in these languages can be understood at once."""
        ...

    def understand(self, text: str, language: str, world: World, alternatives: Sequence[str] = ()) -> Understanding:
        """What a sentence means, in a language that is `ready`. Budget: 5 ms."""
        ...

    def respelling(self, language: str) -> Respelling | None:
        """What finds a command in words that were heard for others that sound the same; None where none would be.

        It takes up to a second, so it is called in a thread.
        """
        ...

    async def plan(self, understanding: Understanding, world: World) -> Plan:
        """What to say and do. Reads, never writes."""
        ...

    def told(self, understanding: Understanding, world: World, call: CallDeviceTool, answer: str) -> str:
        """What to say of a device tool's answer to a plan that says nothing itself; empty for nothing."""
        ...

    def mentioned(self, world: World, understanding: Understanding, plan: Plan) -> Mentioned:
        """What the next turn may refer to."""
        ...

    def phrase(self, key: str, language: str, **values: object) -> str:
        """A reply of the conversation itself, such as "action_failed" or "timer_done"."""
        ...


@dataclass(frozen=True, slots=True)
class MissedRing:
    """A timer, alarm or reminder that nobody heard. `time`: when it was due, `HH:MM`."""

    id: str
    kind: str
    name: str | None
    time: str


class Household(Protocol):
    """The world that planning reads and that actions change."""

    def world(self, device: DeviceView, mentioned: Mentioned) -> World:
        """Everything that planning may read, now."""
        ...

    async def execute(self, action: Action, *, turn: str, index: int, device: str, language: str) -> None:
        """Do one action of a committed turn, once per `(turn, index)` however often it is asked.

        Raises: ActionError, StoreError.
        """
        ...

    async def begin(self, action: Action, *, turn: str, index: int) -> bool:
        """Whether an action that others do is to be done: not if it was done before. Raises: StoreError."""
        ...

    async def finish(self, *, turn: str, index: int, result: str = "true") -> None:
        """Note that a begun action was done; `result` is JSON. Raises: StoreError."""
        ...

    async def result(self, *, turn: str, index: int) -> str:
        """The result that was noted of an action that was done. Raises: StoreError."""
        ...

    def room_named(self, name: str) -> str:
        """The id of the home's room that goes by a name or id; the name itself if there is none."""
        ...

    def missed(self) -> tuple[MissedRing, ...]:
        """What rang while nobody could hear it, until `report_missed`."""
        ...

    async def report_missed(self, rings: Sequence[MissedRing]) -> None:
        """Somebody was told of these. Raises: StoreError."""
        ...


_T = TypeVar("_T")


class Keeper:
    """Owns work that must be finished although the connection that began it is gone."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, _T], name: str) -> asyncio.Task[_T]:
        """Run it; await the task through `asyncio.shield`."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def busy(self) -> bool:
        """Whether something is under way."""
        return bool(self._tasks)

    async def close(self) -> None:
        """Wait for everything under way."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


class Announcer(Protocol):
    """Says things on other speakers."""

    def announce(self, announcement: Announcement, audience: Audience) -> tuple[Speaker, ...]:
        """Have it said on the speakers it is for; those that took it.

        Raises: OverloadedError when there are some and all have too much to say.
        """
        ...

    def control_media(self, action: ControlMedia, audience: Audience) -> tuple[Speaker, ...]:
        """Play, pause or stop media on speakers; those that were told."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one conversation."""

    uplink_backlog_s: float = 180.0
    """Audio that may wait to be heard: a client may send a whole recording at once, not an endless one."""
    utterance_s: float = 20.0
    pushed_utterance_s: float = 60.0
    typed_chars: int = 2_000
    announcements: int = 8
    recognition_s: float = 8.0
    planning_s: float = 4.0
    delivery_s: float = 5.0
    action_s: float = 4.0
    tool_s: float = 20.0
    """How long a device's tool may take: a camera's picture is sent and looked at."""
    filler_after_s: float = 2.5
    """How long after the end of speech a turn says or shows that it is still worked on; 0 is never."""
    side_effect_grace_s: float = 0.05
    """How long a reply waits for effects outside the database; a later failure is corrected aloud."""
    memory_s: float = 300.0
    """How long "it" and "there" refer to an earlier turn."""


@dataclass(frozen=True, slots=True)
class Assistant:
    """The shared parts. `draft_recognizer` may be a quicker engine than `recognizer`, which has the last word.

    `voices` maps a language to its voice; a language without one gets text replies. `busy`: 0 idle … 1 and more when
    inference queues, so that drafts can be spared.
    """

    clock: Clock
    recognizer: Recognizer
    voices: Mapping[str, Voice]
    vad: Vad
    planner: Planner
    household: Household
    announcer: Announcer
    wake_word: WakeWord | None = None
    draft_recognizer: Recognizer | None = None
    busy: Callable[[], float] = lambda: 0.0
    new_id: Callable[[], str] = lambda: ""
    voice_named: Callable[[str, str], Voice | None] = lambda name, language: None
    """The voice of a name, if it is installed and speaks a language."""
    arbiter: Arbiter | None = None
    """Lets one speaker of the home answer; without it each one that hears does."""
    media: MediaSource | None = None
    """Plays stations on speakers that are streamed to; without it only devices that fetch for themselves play."""
    remember: Callable[[TurnRecord], Coroutine[Any, Any, object]] | None = None
    """Keeps a turn that was answered, if the household keeps any; never in the way of a reply."""
    limits: Limits = field(default_factory=Limits)
    keeper: Keeper = field(default_factory=Keeper)
    announcing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held from asking whether something was announced to noting that it was."""

    def voice_for(self, language: str, name: str | None = None) -> Voice | None:
        """The named voice if it speaks the language, else the voice of a language tag, or of its base language."""
        named = self.voice_named(name, language) if name is not None else None
        return named or self.voices.get(language) or self.voices.get(language.split("-")[0])
