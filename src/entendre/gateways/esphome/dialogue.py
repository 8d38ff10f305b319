"""Between a device's voice turns and a conversation's events: what to do with each, without a socket."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from aioesphomeapi import MediaPlayerState, VoiceAssistantEventType, VoiceAssistantFeature, VoiceAssistantTimerEventType

from entendre.core.errors import OverloadedError
from entendre.gateways.esphome.chime import RATE_HZ as CHIME_HZ
from entendre.gateways.esphome.chime import chime
from entendre.gateways.esphome.device import VoiceDevice
from entendre.gateways.esphome.outgoing import Fetched, Outgoing, Pushed, Unsaid
from entendre.gateways.esphome.ringing import FINISHED, OVER, STARTED, SelfRinging
from entendre.session.api import (
    Conversation,
    ListeningEnded,
    ListenMode,
    Outcome,
    ReplyAudio,
    ReplyEnded,
    ReplyStarted,
    RingStarted,
    RingStopped,
    SessionEvent,
    SpeechStarted,
    StillWorking,
    TimerChanged,
    TurnCommitted,
    TurnEnded,
    TurnFailed,
    WakeHeard,
)

logger = logging.getLogger(__name__)

Event = VoiceAssistantEventType
Feature = VoiceAssistantFeature

FINISH_WITHIN_S = 4.0
"""After a reply could have been played, how long its device may take to say so; less than an event may take."""
ANNOUNCEMENT_S = 300.0
"""Longest announcement."""
STOPPED_EARLY_S = 1.0
"""A device that reports the end of a reply so much before its end was told to stop."""
FIRST_SOUND_S = 2.6
"""Firmware on ESP32 reports an end if its media player does not sound in 2 s, which may only be slow to begin."""
RING_QUIET_S = 6.0
"""A device whose media player sounds its ring again and again has stopped once it is quiet for so long."""
RING_PAUSE_S = 1.3
"""A little longer than the pause between two sounds of a device's ring. Source: linux-voice-assistant."""
NOTHING_HEARD = ("stt-no-text-recognized", "nothing was heard")
"""Source: the codes of Home Assistant, which firmware knows: this one, and the next, make no error sound."""
HEARD_ELSEWHERE = ("duplicate_wake_up_detected", "another speaker answers")


class Posts(Protocol):
    """Makes what a device fetches."""

    def post(self, reply: str, rate_hz: int) -> tuple[Fetched, str]:
        """A reply for this device, and its URL."""
        ...


class Run:
    """One voice turn that the device asked for, until it was told that it is over."""

    def __init__(self, *, serves_wake_word: bool) -> None:
        self.serves_wake_word = serves_wake_word
        self.turn: str | None = None
        self.thinking = False
        self.works = False
        """It was told that the utterance is over, which lights up as work."""


class DeviceDialogue:
    """One device's side of a conversation."""

    def __init__(
        self,
        device: VoiceDevice,
        posts: Posts,
        *,
        name: str,
        push: Callable[[bytes], None],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        dismiss: Callable[[tuple[str, ...]], None],
        chimes: bool,
    ) -> None:
        """`start` runs what takes time, for as long as the connection lasts; `push` sends audio to a bare speaker."""
        self._device = device
        self._posts = posts
        self._name = name
        self._push = push
        self._start = start
        self._dismiss = dismiss
        self._chimes = chimes
        self._conversation: Conversation
        self._run: Run | None = None
        self._failed = False
        self._out: Outgoing | None = None
        self._rings = SelfRinging(shows_timers=device.has(Feature.TIMERS), known_to_ring=device.is_known_to_ring)
        self._shown_timers: set[str] = set()
        self._quiet: asyncio.TimerHandle | None = None

    def attach(self, conversation: Conversation) -> None:
        """The conversation that this device's requests drive."""
        self._conversation = conversation

    def close(self) -> None:
        """The connection is gone."""
        self._drop_outgoing()
        if self._quiet is not None:
            self._quiet.cancel()

    # -- from the device ---------------------------------------------------------------------------------------------

    def start(self, *, wake_word: str | None, serves_wake_word: bool) -> None:
        """It opened its microphone: after its wake word, a button or a question, or for us to hear the wake word."""
        self._drop_outgoing()
        self._dismiss(self._rings.used())
        self._run, self._failed = Run(serves_wake_word=serves_wake_word), False
        self._device.event(Event.VOICE_ASSISTANT_RUN_START)
        if serves_wake_word:
            self._device.event(Event.VOICE_ASSISTANT_WAKE_WORD_START)
            return
        self._conversation.start_listening(ListenMode.AUTO, woken=wake_word is not None)
        self._device.event(Event.VOICE_ASSISTANT_STT_START)

    def hear(self, pcm16: bytes) -> None:
        """Its microphone: mono PCM16 at 16 kHz."""
        if self._run is None or self._run.thinking:
            return
        try:
            self._conversation.hear(pcm16[: len(pcm16) & ~1])
        except OverloadedError as error:
            self._fail(error.code, error.public_message)

    def stop(self, *, aborted: bool) -> None:
        """It closed its microphone: to be answered, or because somebody stopped it, or it was told of an error."""
        failed, self._failed = self._failed, False
        if failed:
            return
        if self._run is None and not isinstance(self._out, Fetched | Pushed):
            return
        if aborted:
            self._conversation.cancel_reply()
            if self._run is not None:
                self._end_run()
        elif self._run is not None:
            self._conversation.stop_listening()

    def finished(self) -> None:
        """It says that it has played what it fetched, or that it was stopped.

        It says so at the end of a turn that it was told has failed, too, when an announcement may be under way already.
        """
        out = self._out
        if not isinstance(out, Fetched) or out.posted.fetched_at is None:
            return
        now = time.monotonic()
        heard_s = min(out.sent_s, now - out.posted.fetched_at)
        stopped = not out.ended and out.sent_s - heard_s > STOPPED_EARLY_S
        unheard = self._device.waits_for_its_player and not out.was_sounded
        if stopped and unheard and now - out.posted_at < FIRST_SOUND_S:
            return
        out.done.set()
        self._conversation.played(out.reply, heard_s)
        if stopped:
            out.posted.cut()
            self._conversation.cancel_reply()

    def player_changed(self, state: MediaPlayerState | None) -> None:
        """Its media player plays, announces or is idle."""
        announcing = state is MediaPlayerState.ANNOUNCING
        if isinstance(self._out, Fetched):
            self._out.player_changed(sounds=announcing or state is MediaPlayerState.PLAYING)
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None
        if announcing:
            self._rings.sounding()
        elif self._rings.has_sounded:
            self._quiet = asyncio.get_running_loop().call_later(RING_QUIET_S, self._fell_silent)

    def _fell_silent(self) -> None:
        self._dismiss(self._rings.silenced())

    # -- from the conversation ---------------------------------------------------------------------------------------

    async def deliver(self, event: SessionEvent) -> None:
        """Tell the device. Waits, within bounds, until it has played what it was to play."""
        match event:
            case ReplyAudio():
                if self._out is not None and self._out.reply == event.reply:
                    self._out.push(event.pcm)
            case ReplyStarted():
                self._reply_started(event)
            case ReplyEnded():
                await self._reply_ended(event)
            case TimerChanged():
                self._show_timer(event)
            case RingStarted():
                self._rings.started(event.ring, event.kind)
            case RingStopped():
                if self._rings.stopped(event.ring) and self._device.has(Feature.ANNOUNCE):
                    self._start(self._interrupt_ring())
            case _:
                self._tell_turn(event)

    def _tell_turn(self, event: SessionEvent) -> None:
        run, tell = self._run, self._device.event
        if run is None:
            return
        match event:
            case WakeHeard():
                tell(Event.VOICE_ASSISTANT_WAKE_WORD_END)
                tell(Event.VOICE_ASSISTANT_STT_START)
            case SpeechStarted():
                tell(Event.VOICE_ASSISTANT_STT_VAD_START)
            case StillWorking():
                self._show_work(run)
            case TurnCommitted(turn, text):
                self._committed(run, turn, text)
            case TurnEnded(turn, outcome):
                self._turn_ended(run, turn, outcome)
            case TurnFailed():
                self._drop_outgoing()
                self._fail(event.code, event.message)
            case ListeningEnded(reason):
                if reason == "cancelled":
                    self._end_run()
                elif not run.thinking:
                    self._fail(*NOTHING_HEARD)

    def _committed(self, run: Run, turn: str, text: str) -> None:
        if not text:
            self._fail(*NOTHING_HEARD)
            return
        run.turn, run.thinking = turn, True
        self._show_work(run)
        self._device.event(Event.VOICE_ASSISTANT_STT_END, {"text": text})
        self._device.event(Event.VOICE_ASSISTANT_INTENT_START)

    def _show_work(self, run: Run) -> None:
        if not run.works:
            run.works = True
            self._device.event(Event.VOICE_ASSISTANT_STT_VAD_END)

    def _turn_ended(self, run: Run, turn: str, outcome: Outcome) -> None:
        if outcome is Outcome.ELSEWHERE:
            self._fail(*HEARD_ELSEWHERE)
        elif run.thinking and run.turn == turn:
            self._end_intent(expects_reply=False)
            self._end_run()

    def _end_intent(self, *, expects_reply: bool) -> None:
        data = {"conversation_id": self._name, "continue_conversation": str(int(expects_reply))}
        self._device.event(Event.VOICE_ASSISTANT_INTENT_END, data)

    def _end_run(self) -> None:
        self._run = None
        self._device.event(Event.VOICE_ASSISTANT_RUN_END)

    def _fail(self, code: str, message: str) -> None:
        self._failed = True
        self._device.event(Event.VOICE_ASSISTANT_ERROR, {"code": code, "message": message})
        self._end_run()

    # -- replies -----------------------------------------------------------------------------------------------------

    def _reply_started(self, event: ReplyStarted) -> None:
        self._drop_outgoing()
        if event.turn and self._run is not None and self._run.turn == event.turn:
            self._end_intent(expects_reply=event.expects_reply)
            self._say(event)
        elif not event.turn and self._rings.sounds_all(time.monotonic()):
            self._out = Unsaid(event.reply)
        else:
            self._announce(event)

    def _say(self, event: ReplyStarted) -> None:
        """The answer of a voice turn, which is over for the device once it knows where the answer is."""
        self._device.event(Event.VOICE_ASSISTANT_TTS_START, {"text": event.text})
        posted, url = self._posts.post(event.reply, event.rate_hz)
        self._out = posted
        self._device.event(Event.VOICE_ASSISTANT_TTS_END, {"url": url})
        self._end_run()
        if self._device.takes_pushed_audio:
            self._begin_push(event)

    def _begin_push(self, event: ReplyStarted) -> None:
        self._drop_outgoing()
        self._out = Pushed(event.reply, event.rate_hz, self._push)
        self._device.event(Event.VOICE_ASSISTANT_TTS_STREAM_START)

    def _announce(self, event: ReplyStarted) -> None:
        """Something that the device did not ask for: a ring, a broadcast, or what follows an answer."""
        device, waits_here = self._device, self._run is not None and self._run.serves_wake_word
        if not device.has(Feature.ANNOUNCE) and not device.plays_announcements:
            if device.takes_pushed_audio and waits_here:
                self._say(event)
                return
            logger.warning("the device can't be told what it did not ask for", extra={"device": self._name})
            self._out = Unsaid(event.reply)
            return
        self._run = None
        self._out, url = self._posts.post(event.reply, event.rate_hz)
        if device.has(Feature.ANNOUNCE):
            self._out.waiter = self._start(self._announced(self._out, url, event))
        else:
            self._out.told_by_player = True
            device.play(url, announcement=True)

    async def _announced(self, out: Fetched, url: str, event: ReplyStarted) -> None:
        """Have it announced; the time-out is the reply's own, which gives up on the device sooner."""
        chime_url = ""
        if self._chimes and not event.turn and not self._rings.any:
            sound, chime_url = self._posts.post("", CHIME_HZ)
            sound.push(chime())
            sound.end(interrupted=False)
        again = event.expects_reply and self._device.has(Feature.START_CONVERSATION)
        await self._announce_url(url, event.text, chime_url=chime_url, start_conversation=again)
        self.finished()

    async def _announce_url(self, url: str, text: str, **options: Any) -> None:
        try:
            await self._device.announce(url, text, within_s=ANNOUNCEMENT_S, **options)
        except (TimeoutError, ConnectionError) as error:
            logger.warning("announcement: %s", error, extra={"device": self._name})

    async def _reply_ended(self, event: ReplyEnded) -> None:
        out = self._out
        if out is None or out.reply != event.reply:
            return
        out.end(interrupted=event.interrupted)
        if isinstance(out, Pushed):
            self._device.event(Event.VOICE_ASSISTANT_TTS_STREAM_END)
        elif isinstance(out, Fetched) and event.interrupted and not out.done.is_set():
            self._device.stop_announcement()
        elif isinstance(out, Fetched):
            await self._played_out(out)
        if self._out is out:
            self._out = None

    async def _played_out(self, out: Fetched) -> None:
        """Until the device has played it: what comes next would cut it off. A device that never says so is given up."""
        try:
            async with asyncio.timeout(FINISH_WITHIN_S):
                await out.done.wait()
        except TimeoutError:
            fetched = out.posted.fetched_at is not None
            said = "a reply was not reported as played" if fetched else "a reply was not fetched"
            logger.warning("%s", said, extra={"device": self._name})
            out.give_up()

    def _drop_outgoing(self) -> None:
        """Whatever is on its way is not wanted any more."""
        out, self._out = self._out, None
        if out is not None:
            out.end(interrupted=True)
            if isinstance(out, Pushed):
                self._device.event(Event.VOICE_ASSISTANT_TTS_STREAM_END)

    # -- timers and rings --------------------------------------------------------------------------------------------

    def _show_timer(self, event: TimerChanged) -> None:
        if not self._device.has(Feature.TIMERS):
            return
        if event.change in FINISHED:
            kind = VoiceAssistantTimerEventType.VOICE_ASSISTANT_TIMER_FINISHED
            self._rings.timer_finished(time.monotonic())
        elif event.change in OVER:
            kind = VoiceAssistantTimerEventType.VOICE_ASSISTANT_TIMER_CANCELLED
        elif event.change == STARTED or event.timer not in self._shown_timers:
            kind = VoiceAssistantTimerEventType.VOICE_ASSISTANT_TIMER_STARTED
        else:
            kind = VoiceAssistantTimerEventType.VOICE_ASSISTANT_TIMER_UPDATED
        over = event.change in FINISHED | OVER
        if event.change in OVER and event.timer not in self._shown_timers:
            return
        (self._shown_timers.discard if over else self._shown_timers.add)(event.timer)
        left_s = 0 if over else round(event.remaining_s)
        self._device.timer(kind, event.timer, event.name, event.total_s, left_s, not over and not event.paused)

    async def _interrupt_ring(self) -> None:
        """It was silenced elsewhere. No message stops a device's own ring, but another sound takes its place.

        That works while the ring sounds, not in its pauses; so it is done twice.
        """
        self._rings.interrupted()
        for pause_s in (RING_PAUSE_S, 0.0):
            sound, url = self._posts.post("", CHIME_HZ)
            sound.end(interrupted=False)
            self._start(self._announce_url(url, ""))
            await asyncio.sleep(pause_s)
