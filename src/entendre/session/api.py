"""What a gateway sees of a session: the events it is sent, the link it provides, and the conversation it drives.

A gateway makes one `Conversation` per connection, feeds it audio in the house format and turns its events into its own
protocol. Positions and durations are seconds of the uplink stream unless named otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from entendre.core.actions import Action
from entendre.core.plan import DeviceView, Plan, ToolDefinition
from entendre.core.tags import tags_of
from entendre.core.understanding import Understanding
from entendre.session.announcing import Announcement
from entendre.turn.policy import ListenMode as ListenMode


class Outcome(StrEnum):
    """How a turn ended."""

    ANSWERED = "answered"
    NOT_UNDERSTOOD = "not_understood"
    NOTHING_HEARD = "nothing_heard"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    ELSEWHERE = "elsewhere"
    """Another speaker of the home heard the same words and answers them."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Standing:
    """What a client's credentials speak for: a household, None for the server's own; or a device, which has its own.

    `account`: of the person who is signed in. `brand`: of a device of the fleet.
    """

    household: str | None = None
    device: str | None = None
    account: str | None = None
    brand: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """What a gateway knows of its device when the conversation opens.

    `cancels_echo`: the microphone does not hear the device's own reply. `listens_while_speaking`: audio goes on
    arriving during a reply. `reply_lead_s`: how far ahead of real time reply audio may be sent. `eager_end`: scales the
    silences that end a turn (1.0 normal, smaller is quicker). `semantic`: let understanding decide the end of a turn;
    otherwise `silence_s` of silence does. `tool_definitions` says more about some of `tools`. `replies_aloud`: replies
    have audio; otherwise their text is all the device wants. `voice` names the voice wanted, None the usual one.
    `proven`: its credentials show that it is this device, so its household is the one that took it home. `household`:
    whose home other credentials speak for; None is this server's own. `account`: of the person who is signed in.
    `language` may name a few, as "hi,en": `languages` then has them all, and each utterance is heard in one of them.
    `language_chosen`: somebody chose `language`; otherwise it is the server's, and gives way to the assistant's.
    `assistant`: what the assistant is called; None as usual. `stands_in`: what nobody asked for (rings, announcements,
    media) comes to it only while its device has no other conversation; there is no microphone. `takes_fillers`: a turn
    may say something before its answer, when that takes long.
    """

    device: str
    language: str = "en"
    room: str | None = None
    mode: ListenMode = ListenMode.AUTO
    wake_words: tuple[str, ...] = ()
    cancels_echo: bool = False
    listens_while_speaking: bool = False
    reply_lead_s: float = 0.3
    auto_respond: bool = True
    semantic: bool = True
    silence_s: float = 0.5
    eager_end: float = 1.0
    speed: float = 1.0
    volume: int | None = None
    tools: tuple[str, ...] = ()
    tool_definitions: tuple[ToolDefinition, ...] = ()
    replies_aloud: bool = True
    voice: str | None = None
    proven: bool = False
    household: str | None = None
    account: str | None = None
    language_chosen: bool = True
    assistant: str | None = None
    stands_in: bool = False
    takes_fillers: bool = False
    languages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        named = tags_of(self.language)
        if len(named) > 1:
            object.__setattr__(self, "language", named[0])
            object.__setattr__(self, "languages", named)
        elif self.languages[:1] != (self.language,):
            object.__setattr__(self, "languages", (self.language,))

    def view(self, *, room: str | None, speaking: bool, playing: bool, media: str | None) -> DeviceView:
        """The device as skills see it. `room`: its room's id; `playing` and `media` as in `DeviceView`."""
        return DeviceView(
            id=self.device,
            room=room,
            volume=self.volume,
            speaking=speaking,
            playing=playing,
            media=media,
            tools=self.tools,
            tool_definitions=self.tool_definitions,
            assistant=self.assistant,
        )


@dataclass(frozen=True, slots=True)
class WakeHeard:
    """The server heard a wake word."""

    word: str
    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody began to speak at `at_s`."""

    turn: str
    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The utterance ended at `at_s`; the turn is being committed."""

    turn: str
    at_s: float


@dataclass(frozen=True, slots=True)
class PartialHeard:
    """What was heard so far; may change."""

    turn: str
    text: str


@dataclass(frozen=True, slots=True)
class StillWorking:
    """Recognition or the answer takes longer than usual; once a turn. `text` may be shown to the user."""

    turn: str
    text: str


@dataclass(frozen=True, slots=True)
class TurnCommitted:
    """The final transcript of a spoken or typed turn; empty if nothing was said."""

    turn: str
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class TurnUnderstood:
    """What it meant and what will be done."""

    turn: str
    understanding: Understanding
    plan: Plan


@dataclass(frozen=True, slots=True)
class ReplyStarted:
    """A reply begins; its audio is mono PCM16 at `rate_hz`. `turn` is empty for rings and announcements.

    `filler`: words that bridge the wait; the turn's answer follows.
    """

    reply: str
    turn: str
    text: str
    rate_hz: int
    expects_reply: bool = False
    filler: bool = False


@dataclass(frozen=True, slots=True)
class ReplyAudio:
    """A paced piece of a reply's audio."""

    reply: str
    pcm: bytes


@dataclass(frozen=True, slots=True)
class ReplyEnded:
    """All audio of a reply was sent, or it was stopped. `heard_s`: how much of it the user can have heard."""

    reply: str
    turn: str
    heard_s: float
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """A turn is over. `trace` maps span names to Unix-independent seconds since the turn's stream began."""

    turn: str
    outcome: Outcome
    trace: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ListeningEnded:
    """The session no longer listens; AUTO devices wait for a wake word or a button again."""

    reason: str


@dataclass(frozen=True, slots=True)
class RingStarted:
    """A timer, alarm or reminder rings on this device; its sound follows as a reply, repeated until `RingStopped`."""

    ring: str
    kind: str
    name: str | None


@dataclass(frozen=True, slots=True)
class RingStopped:
    """It no longer rings."""

    ring: str


@dataclass(frozen=True, slots=True)
class TimerChanged:
    """A timer of this device was started, updated, cancelled or has finished, for devices that show timers."""

    timer: str
    change: str
    name: str | None
    total_s: int
    remaining_s: float
    paused: bool


@dataclass(frozen=True, slots=True)
class TurnFailed:
    """Something went wrong; `message` may be shown to the user."""

    turn: str
    code: str
    message: str


SessionEvent = (
    WakeHeard
    | SpeechStarted
    | SpeechStopped
    | PartialHeard
    | StillWorking
    | TurnCommitted
    | TurnUnderstood
    | ReplyStarted
    | ReplyAudio
    | ReplyEnded
    | TurnEnded
    | ListeningEnded
    | RingStarted
    | RingStopped
    | TimerChanged
    | TurnFailed
)


class DeviceLink(Protocol):
    """What a gateway provides to its conversation."""

    async def deliver(self, event: SessionEvent) -> None:
        """Send one event to the client. May wait for the client; the session bounds how long."""
        ...

    async def perform(self, action: Action) -> bool | str:
        """Do a device's own action (volume, mute, media, tool call); False if this device can't.

        A text is what the device's tool answered, and counts as done; it may be empty.
        """
        ...


class Conversation(Protocol):
    """One connection's session. The plain methods never block; call them from the event loop."""

    async def run(self) -> None:
        """Serve the conversation until `close`; cancel it to end at once."""
        ...

    def hear(self, pcm16: bytes) -> None:
        """Uplink audio: little-endian mono PCM16 at 16 kHz, any length."""
        ...

    def start_listening(self, mode: ListenMode | None = None, *, interrupts: bool = True, woken: bool = False) -> None:
        """The client opened its microphone: after its own wake word, a button, or at once.

        `interrupts`: a reply under way stops for it; otherwise listening waits for the end of the reply.
        `woken`: its own wake word did it, so another speaker of the home may have heard the same words.
        """
        ...

    def stop_listening(self) -> None:
        """Push to talk was released, or the client commits its audio: recognise what was heard."""
        ...

    def clear_audio(self) -> None:
        """Forget uplink audio that was not committed."""
        ...

    def respond(self, text: str | None = None) -> None:
        """Answer typed text, or the last committed turn when `auto_respond` is off."""
        ...

    def announce(self, announcement: str | Announcement) -> None:
        """Say something that is no reply, when nobody speaks. Raises: OverloadedError when many wait."""
        ...

    def cancel_reply(self) -> None:
        """Stop the reply being planned or spoken; keeps listening state."""
        ...

    def played(self, reply: str, seconds: float) -> None:
        """The client reports how much of a reply it played."""
        ...

    def reconfigure(self, profile: DeviceProfile) -> None:
        """Use another profile from the next turn on."""
        ...

    def close(self) -> None:
        """End `run` after what is under way."""
        ...


class ConversationFactory(Protocol):
    """Opens conversations; the composition root provides it to gateways."""

    def open(self, profile: DeviceProfile, link: DeviceLink) -> Conversation:
        """A conversation for one connection. Cheap: nothing heavy exists before audio arrives."""
        ...
