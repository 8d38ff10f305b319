"""Between a device's messages and a conversation's events: what to do with each, in which order. Knows no transport."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from entendre.core.errors import InvalidInputError, OverloadedError
from entendre.gateways.xiaozhi.downlink import AudioPacket, Downlink
from entendre.gateways.xiaozhi.echo import Echo
from entendre.gateways.xiaozhi.settings import FRAME_S, XiaozhiSettings
from entendre.gateways.xiaozhi.uplink import Uplink
from entendre.session import api
from entendre.wire import xiaozhi_messages as wire

log = logging.getLogger(__name__)

Outgoing = str | AudioPacket
"""A JSON message as text, or a packet of speech."""

AUTOMATIC_S = 1.0
"""A device opens its microphone by itself this soon after a reply; what it is being told meanwhile goes on."""
STRAY_S = 0.5
"""Microphone packets that were on their way when the device was told to speak arrive within this."""
REOPEN_S = 0.05
"""Between the end of listening and its next beginning, in which announcements have their turn."""
WOKEN = "wake_word_detected"
"""Why a device aborts when its wake word was said."""
WAKE_S = 5.0
"""A request follows its wake word within this."""

_MODES = {
    wire.ListenMode.AUTO: api.ListenMode.AUTO,
    wire.ListenMode.MANUAL: api.ListenMode.MANUAL,
    wire.ListenMode.REALTIME: api.ListenMode.CONTINUOUS,
}


class Dialogue:
    """One channel's conversation as its device sees it."""

    def __init__(
        self,
        profile: api.DeviceProfile,
        session: str,
        settings: XiaozhiSettings,
        clock: Callable[[], float],
        *,
        cancels_echo: bool = True,
    ) -> None:
        """`session`: the id that every message carries; `clock`: monotonic seconds. Raises: MissingExtraError.

        `cancels_echo`: the device does it itself, if its microphone stays open while it speaks; else we do.
        """
        self.profile = profile
        self._session = session
        self._settings = settings
        self._clock = clock
        self._wake_words = frozenset(_plain(word) for word in settings.wake_words)
        self._conversation: api.Conversation
        self.uplink = Uplink(clock)
        self.downlink = Downlink(clock, lead_s=settings.lead_packets * FRAME_S)
        self._echo = None if cancels_echo else Echo(self.downlink)
        self._listening = False
        self._never_listened = True
        """A device opens a channel when it is woken, and may be built not to say by what."""
        self._speaking_for: str | None = None
        """The turn, or the unasked reply, that the device was told to speak for; it is told to stop once for each."""
        self._started_at_s = self._stopped_at_s = self._woken_at_s = float("-inf")
        self._deaf_since_s: float | None = None
        self._reply: str | None = None
        self._turn: str | None = None
        self._hushed: str | None = None
        self._drowsy = False
        """Whether the utterance began after nobody had asked for long: it may be meant for somebody else."""
        self._drowsy_text: str | None = None
        self._owes_stop = False
        self._misses = 0
        self._active_at_s = self._heard_at_s = clock()
        self._rings: set[str] = set()
        self.silenced: set[str] = set()
        """What rang here and was silenced at the device; whoever carries that out takes it away."""
        self.elsewhere = False
        """Another speaker answered the words that woke this device."""

    def attach(self, conversation: api.Conversation) -> None:
        """The conversation that this device's messages drive."""
        self._conversation = conversation

    # From the device

    def received(self, message: wire.DeviceMessage) -> list[Outgoing]:
        """What to send back at once. Tools, hello and goodbye are the channel's."""
        match message:
            case wire.ListenStarted(mode):
                self._listen(mode)
            case wire.ListenStopped():
                return self._listen_stopped()
            case wire.WakeWordDetected(text):
                self._detected(text)
            case wire.AbortRequested(reason):
                return self._aborted(reason)
            case _:
                pass
        return []

    def hear_packet(self, opus: bytes, lost: int = 0, timestamp_ms: int = 0) -> None:
        """A packet of the microphone; `lost` went missing before it. `timestamp_ms`: of what played meanwhile, or 0."""
        if not self._listening:
            if self._speaking_for is None and self._clock() - self._stopped_at_s > STRAY_S:
                self.uplink.keep(opus)
            return
        self._heard_at_s = self._clock()
        pcm16 = self.uplink.hear(opus, lost)
        if not pcm16:
            return
        if self._echo is not None:
            pcm16 = self._echo.clean(pcm16, timestamp_ms)
        if self._deaf_since_s is not None and self._clock() - self._deaf_since_s > REOPEN_S:
            self._deaf_since_s = None
            self._conversation.start_listening(api.ListenMode.AUTO, interrupts=False)
        try:
            self._conversation.hear(pcm16)
        except OverloadedError as error:
            log.warning("audio refused", extra={"device": self.profile.device, "code": error.code})

    def _listen(self, asked: wire.ListenMode) -> None:
        mode, now = _MODES[asked], self._clock()
        if mode is not self.profile.mode:
            duplex = mode is api.ListenMode.CONTINUOUS
            self.reconfigure(replace(self.profile, mode=mode, cancels_echo=duplex, listens_while_speaking=duplex))
        if now - self._stopped_at_s > AUTOMATIC_S:
            self._active()
        first, self._never_listened = self._never_listened, False
        woken = now - self._woken_at_s < WAKE_S or (first and mode is not api.ListenMode.MANUAL)
        self._woken_at_s, self._deaf_since_s = float("-inf"), None
        speaking = self._speaking_for is not None and now - self._started_at_s > AUTOMATIC_S
        self._listening, self._owes_stop = True, mode is api.ListenMode.MANUAL
        self.uplink.wake_packets.clear()
        interrupts = mode is api.ListenMode.MANUAL or speaking
        self._conversation.start_listening(mode, interrupts=interrupts, woken=woken)

    def _listen_stopped(self) -> list[Outgoing]:
        if not self._listening:
            return []
        self._listening = False
        self._active()
        if self.profile.mode is api.ListenMode.MANUAL or self._turn is not None:
            self._conversation.stop_listening()
        else:
            self._conversation.cancel_reply()
        return []

    def _detected(self, text: str) -> None:
        self._active()
        woke = bool(self.uplink.wake_packets) or _plain(text) in self._wake_words
        self.uplink.wake_packets.clear()
        if woke or not text.strip():
            self._woken_at_s = self._clock()
            return
        try:
            self._conversation.respond(text)
        except (InvalidInputError, OverloadedError) as error:
            log.warning("typed text refused", extra={"device": self.profile.device, "code": error.code})

    def _aborted(self, reason: str) -> list[Outgoing]:
        """Stop what is said. A button silences what rings; after a wake word, what is said next decides that."""
        self._active()
        if reason != WOKEN and self._speaking_for is not None and self._speaking_for != self._turn:
            self.silenced |= self._rings
        self._hushed = self._speaking_for or self._turn
        self._conversation.cancel_reply()
        stopping = self._speaking_for is not None or self._clock() - self._stopped_at_s > AUTOMATIC_S
        return self._stop(force=stopping)

    def reconfigure(self, profile: api.DeviceProfile) -> None:
        """Use another profile from the next turn on."""
        self.profile = profile
        self._conversation.reconfigure(profile)

    # From the conversation

    def wait_s(self, event: api.SessionEvent) -> float:
        """How long to wait before `deliver` of this event, for the device to be ready for it."""
        if isinstance(event, api.ReplyAudio) and event.reply == self._reply:
            return self.downlink.wait_s()
        if isinstance(event, api.ReplyEnded) and event.reply == self._reply and not event.interrupted:
            return self.downlink.left_s()
        return 0.0

    def deliver(self, event: api.SessionEvent) -> list[Outgoing]:
        """What to send to the device."""
        match event:
            case api.ReplyAudio(reply, pcm16):
                return list(self.downlink.push(pcm16)) if reply == self._reply else []
            case api.ReplyStarted():
                return self._reply_started(event)
            case api.ReplyEnded():
                return self._reply_ended(event)
            case api.ListeningEnded(reason):
                self._listening_ended(reason)
                return []
            case api.RingStarted(ring):
                self._rings.add(ring)
                return []
            case api.RingStopped(ring):
                self._rings.discard(ring)
                self.silenced.discard(ring)
                return []
        return self._turn_event(event)

    def flush(self) -> list[Outgoing]:
        """The end of a sentence, which must not wait for the next; due in `downlink.flush_in_s()`."""
        return list(self.downlink.flush()) if self._reply is not None else []

    def _turn_event(self, event: api.SessionEvent) -> list[Outgoing]:
        match event:
            case api.SpeechStarted(turn):
                self._turn, self._drowsy = turn, self.overdue
                return self._stop()
            case api.TurnCommitted():
                return self._committed(event)
            case api.TurnUnderstood():
                return self._understood(event)
            case api.TurnFailed():
                return self._failed(event)
            case api.TurnEnded():
                return self._turn_ended(event)
        return []

    def _committed(self, event: api.TurnCommitted) -> list[Outgoing]:
        self._turn = event.turn
        if not event.text or event.turn == self._hushed:
            return []
        if self._drowsy:
            self._drowsy_text = event.text
            return []
        return [wire.stt(self._session, event.text), *self._start(event.turn)]

    def _understood(self, event: api.TurnUnderstood) -> list[Outgoing]:
        if event.turn == self._hushed:
            return []
        text, self._drowsy_text = self._drowsy_text, None
        if text is not None and event.plan.refusal:  # nobody has asked for a while: it was not meant for us
            self._hushed = event.turn
            self._conversation.cancel_reply()
            return []
        self._misses = 0 if event.understanding.understood else self._misses + 1
        if not event.plan.refusal:
            self._active()
        heard: list[Outgoing] = [wire.stt(self._session, text)] if text is not None else []
        face = "confused" if event.plan.refusal else "happy" if event.plan.actions else "neutral"
        return [*heard, *self._start(event.turn), wire.llm(self._session, face)]

    def _failed(self, event: api.TurnFailed) -> list[Outgoing]:
        if event.turn == self._hushed or not event.turn:
            return []
        shown = [wire.llm(self._session, "sad"), wire.tts_sentence(self._session, event.message)]
        return [*self._start(event.turn), *shown]

    def _turn_ended(self, event: api.TurnEnded) -> list[Outgoing]:
        self._drowsy, self._drowsy_text = False, None
        if self._turn == event.turn:
            self._turn = None
        if event.outcome is api.Outcome.ELSEWHERE:
            self.elsewhere = True
        if self._speaking_for == event.turn:
            return self._stop()
        nothing = event.outcome in (api.Outcome.NOTHING_HEARD, api.Outcome.ELSEWHERE)
        return self._stop(force=True) if self._owes_stop and nothing and self._speaking_for is None else []

    def _reply_started(self, event: api.ReplyStarted) -> list[Outgoing]:
        owner = event.turn or event.reply
        meant_elsewhere = event.filler and self._drowsy and self._speaking_for is None
        if owner == self._hushed or meant_elsewhere:
            return []
        self._reply = event.reply
        started = self._start(owner)
        self.downlink.begin(event.rate_hz)
        return [*started, wire.tts_sentence(self._session, event.text)] if event.text else started

    def _reply_ended(self, event: api.ReplyEnded) -> list[Outgoing]:
        if event.reply != self._reply:
            return []
        self._reply = None
        self._active()
        rest: list[Outgoing] = []
        if event.interrupted:
            self.downlink.stop()
        else:
            rest = list(self.downlink.end())
        return rest if event.turn and not event.interrupted else [*rest, *self._stop()]

    def _listening_ended(self, reason: str) -> None:
        """The device's microphone stays open until it is told to speak, so what comes next is heard too.

        Announcements wait for the end of listening, so there is a moment between.
        """
        told_to = reason == "cancelled" and not self.overdue
        if self._listening and not told_to and self.profile.mode is api.ListenMode.AUTO:
            self._deaf_since_s = self._clock()

    # What the device is told

    def _start(self, owner: str) -> list[Outgoing]:
        """Have the device speak for a turn or an unasked reply, if it does not yet."""
        started = self._speaking_for is None
        self._speaking_for = owner
        if not started:
            return []
        self._started_at_s = self._clock()
        self.downlink.open(self._started_at_s + self._settings.first_audio_s)
        if self.profile.mode is not api.ListenMode.CONTINUOUS:
            self._listening = False
        return [wire.tts_start(self._session)]

    def _stop(self, *, force: bool = False) -> list[Outgoing]:
        """Have the device stop speaking; once for whatever it was told to speak for."""
        self._reply = None
        self.downlink.stop()
        if self._speaking_for is None and not force:
            return []
        self._speaking_for, self._owes_stop = None, False
        self._stopped_at_s = self._clock()
        return [wire.tts_stop(self._session)]

    # Quiet

    def _active(self) -> None:
        self._active_at_s = self._clock()

    @property
    def busy(self) -> bool:
        """Whether something is being said or answered."""
        return self._turn is not None or self._speaking_for is not None

    @property
    def overdue(self) -> bool:
        """Whether nothing was asked for long."""
        return self._clock() - self._active_at_s > self._settings.idle_s

    @property
    def done(self) -> bool:
        """Whether the device may sleep."""
        tired = self._misses >= self._settings.misses and self.profile.mode is not api.ListenMode.MANUAL
        return self._dumb or (not self.busy and (self.overdue or tired or self.elsewhere))

    @property
    def _dumb(self) -> bool:
        """Whether its open microphone sends nothing at all: a button that sticks, or a network in between."""
        silent_s = self._clock() - max(self._heard_at_s, self._active_at_s)
        return self._listening and self._speaking_for is None and silent_s > self._settings.idle_s


def _plain(text: str) -> str:
    """A wake word without what writers differ in: case, spaces and punctuation."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())
