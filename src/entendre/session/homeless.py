"""A device that nobody has taken home: it hears and speaks, and has no home to speak for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from entendre.core.actions import Action, CallDeviceTool, ControlMedia
from entendre.core.clock import Clock
from entendre.core.errors import UnsupportedActionError
from entendre.core.home import HomeSnapshot
from entendre.core.plan import DeviceView, Mentioned, Plan, World
from entendre.core.understanding import Understanding
from entendre.session.announcing import Announcement, Audience, Speaker
from entendre.session.assistant import Assistant, Keeper, MissedRing, Planner

ClaimCode = Callable[[str], Awaitable[str | None]]
"""The code by which a device is taken home, to be said aloud; None if it has none now."""


def homeless(assistant: Assistant, claim_code: ClaimCode | None = None) -> Assistant:
    """The same engines for devices without a home: all they say is how to take them home."""
    nobody = Nobody(assistant.clock)
    planner = OnlyItsCode(assistant.planner, claim_code)
    shared = replace(assistant, planner=planner, household=nobody, announcer=nobody, keeper=Keeper())
    return replace(shared, arbiter=None, media=None, remember=None)


class OnlyItsCode:
    """Implements `Planner`: whatever is said, the answer is the device's code, or that it is not set up yet."""

    def __init__(self, planner: Planner, claim_code: ClaimCode | None) -> None:
        self._planner = planner
        self._claim_code = claim_code

    def prepare(self, languages: Sequence[str]) -> None:
        """Nothing: nobody is understood here yet."""

    async def ready(self, languages: Sequence[str]) -> None:
        """At once."""

    def respelling(self, language: str) -> None:
        """There is nothing to be asked for."""

    def understand(self, text: str, language: str, world: World, alternatives: Sequence[str] = ()) -> Understanding:
        """Nothing is understood."""
        return Understanding(text, language)

    async def plan(self, understanding: Understanding, world: World) -> Plan:
        """What to say, and nothing to do."""
        code = await self._claim_code(world.device.id) if self._claim_code is not None else None
        if code is None:
            return Plan(self.phrase("not_set_up", understanding.language), refusal=True)
        return Plan(self.phrase("bind_device", understanding.language, code=", ".join(code)), refusal=True)

    def told(self, understanding: Understanding, world: World, call: CallDeviceTool, answer: str) -> str:
        """Nothing: no tool is called."""
        return ""

    def mentioned(self, world: World, understanding: Understanding, plan: Plan) -> Mentioned:
        """Nothing is remembered."""
        return Mentioned()

    def phrase(self, key: str, language: str, **values: object) -> str:
        """A reply of the conversation itself."""
        return self._planner.phrase(key, language, **values)


class Nobody:
    """Implements `Household` and `Announcer`: nothing is there, and nothing is done."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def world(self, device: DeviceView, mentioned: Mentioned) -> World:
        """An empty home."""
        return World(now=datetime.fromtimestamp(self._clock.wall(), UTC), home=HomeSnapshot(), device=device)

    async def execute(self, action: Action, *, turn: str, index: int, device: str, language: str) -> None:
        """Raises: UnsupportedActionError."""
        raise UnsupportedActionError(detail=f"no home to {action.type} in")

    async def begin(self, action: Action, *, turn: str, index: int) -> bool:
        """Nothing is to be done."""
        return False

    async def finish(self, *, turn: str, index: int, result: str = "true") -> None:
        """Nothing was done."""

    async def result(self, *, turn: str, index: int) -> str:
        """No result, and no speaker that took an announcement."""
        return "[]"

    def room_named(self, name: str) -> str:
        """There is no room."""
        return name

    def missed(self) -> tuple[MissedRing, ...]:
        """Nothing rings."""
        return ()

    async def report_missed(self, rings: Sequence[MissedRing]) -> None:
        """Nothing was missed."""

    def announce(self, announcement: Announcement, audience: Audience) -> tuple[Speaker, ...]:
        """Nobody hears it."""
        return ()

    def control_media(self, action: ControlMedia, audience: Audience) -> tuple[Speaker, ...]:
        """Nobody plays."""
        return ()
