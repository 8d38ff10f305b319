"""Small engines beside the session: loud samples are speech, and what is said is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from entendre.core.actions import Action, CallDeviceTool, ControlMedia
from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import ActionError, MediaError
from entendre.core.plan import DeviceView, Mentioned, Plan, World
from entendre.core.understanding import Command, Completeness, Understanding
from entendre.ports import Transcript, WakeDetection
from entendre.session.announcing import Announcement, Audience, Speaker
from entendre.session.api import DeviceProfile, ListenMode, ReplyAudio, ReplyStarted, SessionEvent, TurnEnded
from entendre.session.arbiter import Arbiter
from entendre.session.assistant import Assistant, Limits, MissedRing, Respelling
from entendre.session.conversation import LiveConversation
from entendre.session.hub import Hub
from entendre.system import new_id

FRAME_SAMPLES = 512


def loud(seconds: float, level: int = 8000) -> bytes:
    """Samples that count as speech."""
    return np.full(int(seconds * HOUSE_RATE_HZ), level, dtype="<i2").tobytes()


def quiet(seconds: float, level: int = 0) -> bytes:
    """Samples that count as silence."""
    return np.full(int(seconds * HOUSE_RATE_HZ), level, dtype="<i2").tobytes()


WAKE_WORD = np.full(1600, 32767, dtype="<i2").tobytes()
"""What `PatternWakeWord` waits for."""


class LoopClock:
    """The event loop's own time, which tests let jump."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        return 1_800_000_000.0 + self.monotonic()


class LoudnessVad:
    name = "loudness"
    frame_samples = FRAME_SAMPLES

    def __init__(self) -> None:
        self._rest = np.zeros(0, dtype=np.int16)

    def open(self) -> LoudnessVad:
        return LoudnessVad()

    def push(self, audio: Samples) -> list[float]:
        audio = np.concatenate([self._rest, audio])
        whole = len(audio) // FRAME_SAMPLES * FRAME_SAMPLES
        self._rest = audio[whole:]
        return [float(np.abs(frame).mean() > 1000) for frame in audio[:whole].reshape(-1, FRAME_SAMPLES)]

    def reset(self) -> None:
        self._rest = np.zeros(0, dtype=np.int16)


class PatternWakeWord:
    """A full-scale sample is the wake word."""

    name = "pattern"
    words = ("hey test",)

    def __init__(self) -> None:
        self._seen = 0

    def open(self, words: Sequence[str]) -> PatternWakeWord:
        return PatternWakeWord()

    def push(self, audio: Samples) -> list[WakeDetection]:
        hits = np.flatnonzero(audio == 32767)
        start, self._seen = self._seen, self._seen + len(audio)
        return [WakeDetection("hey test", (start + int(hits[-1]) + 1) / HOUSE_RATE_HZ, 1.0)] if len(hits) else []

    def reset(self) -> None:
        return None


@dataclass
class ScriptedRecognizer:
    """Hears what is scripted, after a delay; counts what it is asked and what was taken back."""

    text: str = "turn on the lamp"
    thorough_text: str | None = None
    delay_s: float = 0.01
    error: Exception | None = None
    name: str = "scripted"
    languages: frozenset[str] = frozenset({"en"})
    asked: list[tuple[float, bool]] = field(default_factory=list)
    cancelled: int = 0

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> Transcript:
        self.asked.append((len(audio) / HOUSE_RATE_HZ, thorough))
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        text = self.thorough_text if thorough and self.thorough_text is not None else self.text
        return Transcript(text, language)


@dataclass
class ToneVoice:
    """Each word is 0.1 s of sound."""

    name: str = "tone"
    languages: frozenset[str] = frozenset({"en"})
    rate_hz: int = 24_000
    said: list[str] = field(default_factory=list)
    slow_s: float = 0.0

    async def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        self.said.append(text)
        await asyncio.sleep(self.slow_s)
        for _ in text.split():
            await asyncio.sleep(0)
            yield bytes(2 * int(0.1 * self.rate_hz))


@dataclass
class ScriptedPlanner:
    """Understands what is scripted: words -> (completeness, plan)."""

    plans: dict[str, tuple[Completeness, Plan]] = field(default_factory=dict)
    worlds: list[World] = field(default_factory=list)

    def prepare(self, languages: Sequence[str]) -> None:
        """Every language is ready."""

    async def ready(self, languages: Sequence[str]) -> None:
        """Every language is."""

    def respelling(self, language: str) -> Respelling | None:
        return None

    def understand(self, text: str, language: str, world: World, alternatives: Sequence[str] = ()) -> Understanding:
        if text not in self.plans:
            return Understanding(text, language)
        return Understanding(text, language, (Command("Scripted"),), self.plans[text][0], 1.0)

    async def plan(self, understanding: Understanding, world: World) -> Plan:
        self.worlds.append(world)
        if not understanding.understood:
            return Plan("I did not get that.", refusal=True)
        return self.plans[understanding.text][1]

    def mentioned(self, world: World, understanding: Understanding, plan: Plan) -> Mentioned:
        return replace(world.mentioned, reply=plan.reply, at_s=LoopClock().wall())

    def told(self, understanding: Understanding, world: World, call: CallDeviceTool, answer: str) -> str:
        return answer

    def phrase(self, key: str, language: str, **values: object) -> str:
        return f"phrase {key}"


@dataclass
class Ledger:
    """A household that only writes down what it is told."""

    done: list[tuple[str, int, Action]] = field(default_factory=list)
    delay_s: float = 0.0
    failing: type | None = None
    unheard: list[MissedRing] = field(default_factory=list)

    def world(self, device: DeviceView, mentioned: Mentioned) -> World:
        return World(now=datetime.now(UTC), device=device, mentioned=mentioned)

    async def execute(self, action: Action, *, turn: str, index: int, device: str, language: str) -> None:
        await asyncio.sleep(self.delay_s)
        if self.failing is not None and isinstance(action, self.failing):
            raise ActionError(detail="scripted")
        self.done.append((turn, index, action))

    async def begin(self, action: Action, *, turn: str, index: int) -> bool:
        return True

    async def finish(self, *, turn: str, index: int, result: str = "true") -> None:
        return None

    async def result(self, *, turn: str, index: int) -> str:
        return "null"

    def room_named(self, name: str) -> str:
        return name

    def missed(self) -> tuple[MissedRing, ...]:
        return tuple(self.unheard)

    async def report_missed(self, rings: Sequence[MissedRing]) -> None:
        self.unheard = [ring for ring in self.unheard if ring not in rings]


@dataclass
class Stations:
    """Streams that go on for as long as they are told to; a number is how many seconds they last."""

    lasts_s: dict[str, float] = field(default_factory=dict)
    rate_hz: int = 24_000
    opened: list[tuple[str, float]] = field(default_factory=list)
    closed: int = 0
    broken_after_s: float | None = None

    async def open(self, url: str, *, from_s: float = 0.0) -> AsyncIterator[bytes]:
        self.opened.append((url, from_s))
        at_s = from_s
        try:
            while at_s < self.lasts_s.get(url, 1e9):
                if self.broken_after_s is not None and at_s >= self.broken_after_s:
                    raise MediaError("The station has gone silent.")
                await asyncio.sleep(0.01)
                yield bytes(2 * self.rate_hz // 10)
                at_s += 0.1
        finally:
            self.closed += 1


class Nobody:
    def control_media(self, action: ControlMedia, audience: Audience) -> tuple[Speaker, ...]:
        return ()

    def announce(self, announcement: Announcement, audience: Audience) -> tuple[Speaker, ...]:
        return ()


@dataclass
class Recorder:
    """A client that takes everything, or nothing."""

    events: list[SessionEvent] = field(default_factory=list)
    performed: list[Action] = field(default_factory=list)
    answer: bool | str = True
    answer_after_s: float = 0.0
    stuck: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, event: SessionEvent) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        self.events.append(event)
        self.changed.set()

    async def perform(self, action: Action) -> bool | str:
        self.performed.append(action)
        await asyncio.sleep(self.answer_after_s)
        return self.answer

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events if not isinstance(event, ReplyAudio)]

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type, count: int = 1, timeout_s: float = 3.0) -> Any:
        async with asyncio.timeout(timeout_s):
            while len(self.of(kind)) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.of(kind)[count - 1]


@dataclass
class Stage:
    """A conversation with everything around it."""

    plans: dict[str, tuple[Completeness, Plan]] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    wake_word: PatternWakeWord | None = None

    def __post_init__(self) -> None:
        self.ears, self.voice, self.household = ScriptedRecognizer(), ToneVoice(), Ledger()
        self.planner, self.link = ScriptedPlanner(self.plans), Recorder()
        self.assistant = Assistant(
            clock=LoopClock(),
            recognizer=self.ears,
            voices={"en": self.voice},
            vad=LoudnessVad(),
            planner=self.planner,
            household=self.household,
            announcer=Nobody(),
            wake_word=self.wake_word,
            new_id=new_id,
            limits=self.limits,
        )

    def open(self, **profile: Any) -> LiveConversation:
        self.talk = LiveConversation(self.assistant, DeviceProfile(**{"device": "d1", **profile}), self.link)
        return self.talk

    async def say(self, seconds: float = 0.6, after_s: float = 0.8) -> None:
        """Speech and then silence, in real time."""
        await self.stream(loud(seconds))
        await self.stream(quiet(after_s))

    async def stream(self, pcm: bytes, piece_s: float = 0.02) -> None:
        step = int(piece_s * HOUSE_RATE_HZ) * 2
        for start in range(0, len(pcm), step):
            self.talk.hear(pcm[start : start + step])
            await asyncio.sleep(piece_s)

    async def turn_over(self, count: int = 1) -> TurnEnded:
        ended = await self.link.until(TurnEnded, count)
        assert isinstance(ended, TurnEnded)
        return ended


@dataclass
class EarsApart:
    """Hears other words at every level of loudness: what each microphone of a room makes of what is said."""

    texts: dict[int, str]
    delays_s: dict[int, float] = field(default_factory=dict)
    name: str = "apart"
    languages: frozenset[str] = frozenset({"en"})

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> Transcript:
        loudest = int(audio[audio < 32767].max())
        await asyncio.sleep(self.delays_s.get(loudest, 0.01))
        return Transcript(self.texts[loudest], language)


@dataclass
class HomeSpeaker:
    """One of a home's speakers: what it is, what it hears as, and what it was told."""

    talk: LiveConversation
    link: Recorder
    level: int

    async def stream(self, pcm: bytes, piece_s: float = 0.02) -> None:
        step = int(piece_s * HOUSE_RATE_HZ) * 2
        for start in range(0, len(pcm), step):
            self.talk.hear(pcm[start : start + step])
            await asyncio.sleep(piece_s)

    async def hear(self, *, seconds: float = 0.6, noise: int = 0, wake: bool = True, after_s: float = 0.0) -> None:
        """Somebody says something: the wake word, words of a length, silence."""
        await asyncio.sleep(after_s)
        sound = WAKE_WORD + quiet(0.1, noise) if wake else quiet(0.1, noise)
        await self.stream(sound + loud(seconds, self.level) + quiet(1.6, noise))

    def outcomes(self) -> list[str]:
        return [str(ended.outcome) for ended in self.link.of(TurnEnded)]

    def said(self) -> list[str]:
        return [reply.text for reply in self.link.of(ReplyStarted)]


class Home:
    """Several speakers over one assistant."""

    def __init__(self, plans: dict[str, tuple[Completeness, Plan]], texts: dict[int, str], **assistant: Any) -> None:
        self.stage = Stage(plans, wake_word=PatternWakeWord())
        self.ears, self.hub = EarsApart(texts), Hub()
        shared = {"recognizer": self.ears, "announcer": self.hub, "arbiter": Arbiter(LoopClock().monotonic)}
        self.stage.assistant = replace(self.stage.assistant, **(shared | assistant))
        self.hub.attach(self.stage.assistant)
        self.speakers: dict[str, HomeSpeaker] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Home:
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.stage.assistant.keeper.close()

    async def speaker(self, device: str, level: int = 8000, **profile: Any) -> HomeSpeaker:
        """A connected speaker in a room of its own name, which waits for the wake word."""
        link = Recorder()
        wanted = {"room": device, "mode": ListenMode.WAKE, "wake_words": ("hey test",), **profile}
        talk = self.hub.open(DeviceProfile(device=device, **wanted), link)
        self._tasks.append(asyncio.create_task(talk.run()))
        await asyncio.sleep(0)
        made = self.speakers[device] = HomeSpeaker(talk, link, level)
        return made
