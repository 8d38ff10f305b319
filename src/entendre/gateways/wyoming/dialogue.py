"""Between a satellite's events and a conversation's: what to do with each, without a socket."""

from __future__ import annotations

import logging
from collections import deque

from entendre.core.audio import HOUSE_RATE_HZ, AudioFormat
from entendre.core.resample import PcmResampler
from entendre.gateways.mono import to_mono_pcm16
from entendre.gateways.wyoming.loudness import Loudness
from entendre.session.api import (
    Conversation,
    DeviceProfile,
    ListeningEnded,
    ListenMode,
    ReplyAudio,
    ReplyEnded,
    ReplyStarted,
    SessionEvent,
    SpeechStarted,
    SpeechStopped,
    TimerChanged,
    TurnCommitted,
    TurnEnded,
    TurnFailed,
    TurnUnderstood,
    WakeHeard,
)
from entendre.wire import wyoming_events as wire
from entendre.wire.wyoming_events import WyomingEvent
from entendre.wire.wyoming_info import Info, SoundFormat

logger = logging.getLogger(__name__)

UNPLAYED_REPLIES = 16
"""Replies that a satellite may leave unreported; one without a speaker never reports any."""

AFTER_REPLY = "answered"
"""Why listening ends after every reply; a stream that is open then belongs to the next turn."""

_SAMPLE_WIDTH_BYTES = 2


class SatelliteDialogue:
    """One satellite's side of a conversation.

    A satellite with its own wake word streams until it is sent a transcript or an error. So while a reply asks
    something, the transcript is held back: the microphone stays open and the answer needs no wake word.
    """

    def __init__(self, profile: DeviceProfile, info: Info, loudness: Loudness) -> None:
        self._profile = profile
        self._loudness = loudness
        self._conversation: Conversation | None = None
        self._pipeline: wire.RunPipeline | None = None
        self._held: wire.Transcript | None = None
        self._woken = False
        self._follow_up = False
        self._uplink: _Uplink | None = None
        self._speaker: SoundFormat | None = info.snd[0].snd_format if info.snd else None
        self._reply: _Reply | None = None
        self._unplayed: deque[tuple[str, float]] = deque(maxlen=UNPLAYED_REPLIES)

    def attach(self, conversation: Conversation) -> None:
        """The conversation that this satellite's events drive."""
        self._conversation = conversation

    # From the satellite

    def received(self, event: WyomingEvent) -> list[WyomingEvent]:
        """What to send back at once. Raises: InvalidInputError for audio that is no audio."""
        conversation = self._conversation
        assert conversation is not None
        match event:
            case wire.AudioChunk():
                if self._pipeline is not None:
                    conversation.hear(self._house_audio(event))
            case wire.Detection():
                self._woken = True
            case wire.RunPipeline():
                return self._run_pipeline(conversation, event)
            case wire.AudioStop() | wire.StreamingStopped():
                self._end_uplink(conversation)
            case wire.Played():
                if self._unplayed:
                    conversation.played(*self._unplayed.popleft())
            case wire.Ping():
                return [wire.Pong(event.text)]
            case wire.Error():
                logger.warning("satellite reports an error", extra={"device": self._profile.device, "code": event.code})
            case _:
                pass
        return []

    def _run_pipeline(self, conversation: Conversation, event: wire.RunPipeline) -> list[WyomingEvent]:
        self._speaker = event.snd_format or self._speaker
        woken, self._woken = self._woken, False
        match event.start_stage:
            case "wake" if self._profile.mode is ListenMode.WAKE:
                self._open_uplink(event)
                return [wire.Detect(self._profile.wake_words)]
            case "wake":
                logger.warning(
                    "satellite waits for a wake word and none is set", extra={"device": self._profile.device}
                )
                return [wire.Error("no wake word is configured on this server", "no_wake_word")]
            case "asr":
                self._open_uplink(event)
                self._held = None
                self._follow_up = False
                conversation.start_listening(ListenMode.AUTO, woken=woken)
                return [wire.Transcribe(language=self._profile.language)]
            case "tts" if event.announce_text:
                conversation.announce(event.announce_text)
                return []
        return [wire.Error("a satellite's pipeline starts at wake, asr or tts", "unsupported_stage")]

    def _open_uplink(self, event: wire.RunPipeline) -> None:
        self._pipeline = event
        self._uplink = None

    def _end_uplink(self, conversation: Conversation) -> None:
        if self._pipeline is not None and self._profile.mode is ListenMode.AUTO:
            self._pipeline = None
            conversation.stop_listening()

    def _house_audio(self, chunk: wire.AudioChunk) -> bytes:
        if self._uplink is None or self._uplink.rate_hz != chunk.rate:
            self._uplink = _Uplink(chunk.rate)
        mono = to_mono_pcm16(chunk.audio, width_bytes=chunk.width, channels=chunk.channels)
        return self._uplink.resampler.push(mono)

    # From the conversation

    def deliver(self, event: SessionEvent) -> list[WyomingEvent]:
        """What to send to the satellite."""
        match event:
            case ReplyAudio():
                return self._reply_audio(event)
            case ReplyStarted():
                return self._reply_started(event)
            case ReplyEnded():
                return self._reply_ended(event)
            case TimerChanged():
                return _timer(event)
        return self._turn(event)

    def _turn(self, event: SessionEvent) -> list[WyomingEvent]:
        match event:
            case WakeHeard():
                detection = wire.Detection(event.word, _ms(event.at_s))
                return [detection, wire.Transcribe(language=self._profile.language)]
            case SpeechStarted():
                return [wire.VoiceStarted(_ms(event.at_s))]
            case SpeechStopped():
                return [wire.VoiceStopped(_ms(event.at_s))]
            case TurnCommitted():
                self._held = wire.Transcript(event.text, event.language or None)
                self._follow_up = False
            case TurnUnderstood():
                self._follow_up = event.plan.expects_reply
                return self._release()
            case TurnEnded():
                return self._release()
            case TurnFailed():
                return self._failed(event)
            case ListeningEnded(reason):
                return self._listening_ended(reason)
        return []

    def _release(self) -> list[WyomingEvent]:
        """The transcript that was held back, unless an answer is awaited."""
        if self._held is None or self._follow_up:
            return []
        held, self._held = self._held, None
        if self._profile.mode is ListenMode.AUTO:
            self._pipeline = None
        return [held]

    def _failed(self, event: TurnFailed) -> list[WyomingEvent]:
        self._held = None
        self._follow_up = False
        if self._profile.mode is ListenMode.AUTO:
            self._pipeline = None
        return [wire.Error(event.message, event.code)]

    def _listening_ended(self, reason: str) -> list[WyomingEvent]:
        self._follow_up = False
        streaming = self._profile.mode is ListenMode.AUTO and self._pipeline is not None
        if self._held is None and streaming and reason != AFTER_REPLY:
            self._held = wire.Transcript("")
        return self._release()

    def _reply_started(self, event: ReplyStarted) -> list[WyomingEvent]:
        self._follow_up = self._follow_up or (event.expects_reply and bool(event.turn))
        events: list[WyomingEvent] = self._release() if event.turn and not event.filler else []
        rate_hz = self._speaker.rate if self._speaker is not None else event.rate_hz
        self._reply = _Reply(event.reply, AudioFormat(rate_hz), PcmResampler(event.rate_hz, rate_hz))
        return [*events, wire.Synthesize(event.text), wire.AudioStart(rate_hz, _SAMPLE_WIDTH_BYTES, 1, 0)]

    def _reply_audio(self, event: ReplyAudio) -> list[WyomingEvent]:
        if self._reply is None or self._reply.id != event.reply:
            return []
        return self._reply.chunk(self._loudness.apply(self._reply.resampler.push(event.pcm)))

    def _reply_ended(self, event: ReplyEnded) -> list[WyomingEvent]:
        if self._reply is None or self._reply.id != event.reply:
            return []
        reply, self._reply = self._reply, None
        rest = [] if event.interrupted else reply.chunk(self._loudness.apply(reply.resampler.flush()))
        self._unplayed.append((reply.id, reply.sent_s))
        return [*rest, wire.AudioStop(_ms(reply.sent_s))]


def mode_of(pipeline: wire.RunPipeline, profile: DeviceProfile) -> ListenMode:
    """The mode that a conversation must have been opened in to serve this pipeline."""
    if pipeline.start_stage == "asr":
        return ListenMode.AUTO
    if pipeline.start_stage == "wake" and profile.wake_words:
        return ListenMode.WAKE
    return profile.mode


def mode_at_first(info: Info, wake_words: tuple[str, ...]) -> ListenMode:
    """The mode that a satellite will probably ask for: whether it listens for wake words itself."""
    local = info.wake or (info.satellite is not None and info.satellite.active_wake_words)
    return ListenMode.AUTO if local or not wake_words else ListenMode.WAKE


class _Uplink:
    """A microphone's stream at one rate."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.resampler = PcmResampler(rate_hz, HOUSE_RATE_HZ)


class _Reply:
    """A reply on its way to the speaker."""

    def __init__(self, reply_id: str, sound: AudioFormat, resampler: PcmResampler) -> None:
        self.id = reply_id
        self.resampler = resampler
        self._sound = sound
        self._sent_bytes = 0

    @property
    def sent_s(self) -> float:
        """Seconds of audio sent so far."""
        return self._sound.seconds(self._sent_bytes)

    def chunk(self, pcm16: bytes) -> list[WyomingEvent]:
        """The next piece of audio, none if there is nothing in it."""
        if not pcm16:
            return []
        timestamp = _ms(self.sent_s)
        self._sent_bytes += len(pcm16)
        return [wire.AudioChunk(self._sound.rate_hz, _SAMPLE_WIDTH_BYTES, 1, pcm16, timestamp)]


def _timer(event: TimerChanged) -> list[WyomingEvent]:
    match event.change:
        case "started":
            return [wire.TimerStarted(event.timer, event.total_s, event.name)]
        case "cancelled":
            return [wire.TimerCancelled(event.timer)]
        case "finished" | "ringing":
            return [wire.TimerFinished(event.timer)]
        case "ended":
            return []
    return [wire.TimerUpdated(event.timer, not event.paused, round(event.remaining_s))]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
