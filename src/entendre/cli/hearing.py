"""One recording through a conversation in this process, with everything that came of it. Used by `hear` and `demo`."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entendre.clients.sound import resampled
from entendre.config import Settings
from entendre.core.actions import Action
from entendre.core.audio import HOUSE_RATE_HZ, Samples, samples_of
from entendre.core.document import document_of
from entendre.core.errors import InvalidInputError
from entendre.core.plan import Plan
from entendre.core.understanding import Understanding
from entendre.ports import Voice
from entendre.session.api import (
    Conversation,
    ConversationFactory,
    DeviceProfile,
    ListeningEnded,
    ListenMode,
    PartialHeard,
    ReplyAudio,
    ReplyEnded,
    ReplyStarted,
    SessionEvent,
    TurnCommitted,
    TurnEnded,
    TurnFailed,
    TurnUnderstood,
)

if TYPE_CHECKING:
    from entendre.app import App
    from entendre.speech.load import Speech

CHUNK_S = 0.02
SILENCE_S = 6.0
"""Room silence sent after a recording; the longest wait for the end of a turn is shorter."""
UNPACED_S = 3600.0
"""A lead that no reply exceeds, so that nobody waits for it to be played."""
TURN_S = 15.0
"""When a turn that never ends is given up."""


@dataclass(slots=True)
class HeardTurn:
    """What one recording came to; a `DeviceLink` that keeps what it is told. Times are stream seconds."""

    turn: str = ""
    transcript: str = ""
    drafts: list[str] = field(default_factory=list)
    understanding: Understanding | None = None
    plan: Plan | None = None
    performed: list[Action] = field(default_factory=list)
    outcome: str = ""
    failure: str = ""
    trace: dict[str, float] = field(default_factory=dict)
    reply_text: str = ""
    reply_pcm16: bytearray = field(default_factory=bytearray)
    reply_rate_hz: int = 0
    began_s: float = field(default_factory=time.monotonic)
    waited_s: dict[str, float] = field(default_factory=dict)
    """Seconds of the clock from the beginning until it was `understood` and `first_audio` came."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _speaking: bool = False
    _ended: bool = False

    async def deliver(self, event: SessionEvent) -> None:
        """Keep what matters of one event."""
        match event:
            case PartialHeard() if event.text and (not self.drafts or self.drafts[-1] != event.text):
                self.drafts.append(event.text)
            case TurnCommitted() if event.text:
                self.turn, self.transcript = event.turn, f"{self.transcript} {event.text}".strip()
            case TurnUnderstood():
                self.understanding, self.plan = event.understanding, event.plan
                self._mark("understood")
            case ReplyStarted():
                self.reply_text, self.reply_rate_hz, self._speaking = event.text, event.rate_hz, True
            case ReplyAudio():
                self.reply_pcm16 += event.pcm
                self._mark("first_audio")
            case ReplyEnded():
                self._speaking = False
            case TurnFailed():
                self.failure = event.code
            case TurnEnded() if event.outcome != "nothing_heard":
                self.outcome, self.trace, self._ended = str(event.outcome), dict(event.trace), True
            case ListeningEnded():  # also where nobody spoke
                self._ended = True
        if self._ended and not self._speaking:
            self.over.set()

    def _mark(self, stage: str) -> None:
        self.waited_s.setdefault(stage, time.monotonic() - self.began_s)

    async def perform(self, action: Action) -> bool:
        """Note a device's own action; this device can do all of them."""
        self.performed.append(action)
        return True

    @property
    def timeline(self) -> dict[str, float | None]:
        """When things happened, in seconds of the recording."""
        names = ("speech_end_s", "draft_s", "commit_s", "understood_s", "first_audio_s")
        return {name: self.trace.get(name) for name in names}

    def document(self, language: str) -> dict[str, Any]:
        """As `entendre hear --json` prints it: the object of `ask`, the transcript, drafts and timeline."""
        understanding = self.understanding or Understanding(self.transcript, language)
        return document_of(understanding, self.plan or Plan(refusal=True)) | {
            "transcript": self.transcript,
            "drafts": self.drafts,
            "outcome": self.outcome or "no_turn",
            "timeline": self.timeline,
        }


class Ears:
    """The engines of an assistant in this process, and a fresh home for whoever wants one."""

    def __init__(self, settings: Settings, speech: Speech) -> None:
        self._settings = settings
        self._speech = speech

    @asynccontextmanager
    async def home(self) -> AsyncIterator[App]:
        """The whole assistant without its sockets, on a database of its own that is gone afterwards."""
        from entendre.app import App

        with tempfile.TemporaryDirectory(prefix="entendre-") as folder:
            server = replace(self._settings.server, data_dir=Path(folder))
            app = App(replace(self._settings, server=server), listen=False, speech=self._speech)
            await app.start()
            try:
                yield app
            finally:
                await app.close()

    def voice_for(self, language: str) -> Voice | None:
        """The voice of a language."""
        return self._speech.voice_for(language)


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncIterator[Ears]:
    """Engines, loaded once. Raises: ModelError, MissingExtraError, ConfigurationError."""
    from entendre.speech.load import load_speech

    with tempfile.TemporaryDirectory(prefix="entendre-") as folder:
        # The reply cache is the owner's; a trial leaves no trace in it.
        own = replace(settings.server, data_dir=Path(folder))
        speech_settings = replace(settings.speech, models_dir=settings.models_dir)
        settings = replace(settings, server=own, speech=speech_settings)
        speech = await asyncio.to_thread(load_speech, settings)
        try:
            yield Ears(settings, speech)
        finally:
            speech.close()


async def synthesised(ears: Ears, text: str, language: str) -> Samples:
    """A sentence in the assistant's own voice, at 16 kHz. Raises: InvalidInputError without a voice."""
    voice = ears.voice_for(language)
    if voice is None:
        raise InvalidInputError(f"There is no voice for {language!r}.")
    pcm16 = b"".join([chunk async for chunk in voice.synthesize(text, language=language)])
    return resampled(samples_of(pcm16), voice.rate_hz, HOUSE_RATE_HZ)


async def hear(
    factory: ConversationFactory, samples: Samples, profile: DeviceProfile, *, fast: bool = False
) -> HeardTurn:
    """Say a recording (16 kHz) to a new conversation. `fast` sends it at once instead of as a microphone would."""
    heard = HeardTurn()
    if fast:
        profile = replace(profile, reply_lead_s=UNPACED_S)
    conversation = factory.open(profile, heard)
    async with _turn_of(conversation, heard):
        conversation.start_listening(ListenMode.AUTO)
        await _feed(conversation, samples, heard, fast=fast)
    return heard


@asynccontextmanager
async def _turn_of(conversation: Conversation, heard: HeardTurn) -> AsyncIterator[None]:
    """A conversation that runs until one turn of it is over, or takes too long."""
    running = asyncio.create_task(conversation.run())
    heard.began_s = time.monotonic()
    try:
        yield
        async with asyncio.timeout(TURN_S):
            await heard.over.wait()
    except TimeoutError:
        heard.outcome = heard.outcome or "no_turn"
    finally:
        conversation.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def typed(factory: ConversationFactory, text: str, profile: DeviceProfile) -> HeardTurn:
    """Give a new conversation a sentence as text."""
    heard = HeardTurn(transcript=text)
    conversation = factory.open(replace(profile, reply_lead_s=UNPACED_S), heard)
    async with _turn_of(conversation, heard):
        conversation.respond(text)
    heard.transcript = text
    return heard


async def _feed(conversation: Conversation, samples: Samples, heard: HeardTurn, *, fast: bool) -> None:
    size = int(CHUNK_S * HOUSE_RATE_HZ)
    silence = bytes(2 * size)
    sound = samples.astype("<i2").tobytes()
    chunks = [sound[start : start + 2 * size] for start in range(0, len(sound), 2 * size)]
    chunks += [silence] * int(SILENCE_S / CHUNK_S)
    started_s = time.monotonic()
    for index, chunk in enumerate(chunks):
        if heard.over.is_set():
            return
        due_s = started_s + (index + 1) * CHUNK_S
        await asyncio.sleep(0 if fast else max(0.0, due_s - time.monotonic()))
        conversation.hear(chunk)
