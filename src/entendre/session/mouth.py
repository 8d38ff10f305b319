"""What one speaker says: the voice of its profile, and the one sound that is being sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from entendre.ports import Voice
from entendre.session import api
from entendre.session.assistant import Assistant
from entendre.session.speaking import Playback, Prepared, Sound, play
from entendre.session.trace import Trace

SILENT_RATE_HZ = 24_000
"""Rate of a reply that has text and no sound."""


@dataclass(slots=True)
class Mouth:
    """Sends one sound at a time to a client. `began` is called at each one's beginning."""

    assistant: Assistant
    profile: api.DeviceProfile
    link: api.DeviceLink
    emit: Callable[[api.SessionEvent], Awaitable[None]]
    began: Callable[[], None]
    stream_s: Callable[[], float]
    language: str = ""
    """What is spoken in now; empty is the profile's own."""
    _playback: Playback | None = None

    @property
    def speaking(self) -> bool:
        """Whether something is being sent."""
        return self._playback is not None and not self._playback.ended

    def voice(self, language: str | None = None) -> Voice | None:
        """What speaks a language, the one spoken now if none is named; None where replies have no sound."""
        profile = self.profile
        language = language or self.language or profile.language
        return self.assistant.voice_for(language, profile.voice) if profile.replies_aloud else None

    def sound(self, text: str, prepared: Prepared | None = None, language: str | None = None) -> Sound:
        """A text as it is spoken here."""
        if prepared is not None:
            return Sound(text, prepared.rate_hz, prepared.chunks())
        language = language or self.language or self.profile.language
        voice = self.voice(language)
        if voice is None:
            return Sound(text, SILENT_RATE_HZ, None)
        chunks = voice.synthesize(text, language=language, speed=self.profile.speed)
        return Sound(text, voice.rate_hz, chunks)

    def phrase(self, key: str, **values: object) -> str:
        """A reply of the conversation itself, in the language spoken now."""
        return self.assistant.planner.phrase(key, self.language or self.profile.language, **values)

    async def play(
        self,
        sound: Sound,
        turn: str = "",
        *,
        expects_reply: bool = False,
        filler: bool = False,
        trace: Trace | None = None,
    ) -> None:
        """Send a sound, and return once all of it can have been heard. `filler`: the turn's answer comes after it.

        Raises: OverloadedError; what synthesis raised.
        """
        reply = self.assistant.new_id()
        clock, lead_s = self.assistant.clock, self.profile.reply_lead_s
        playback = self._playback = Playback(reply, turn, sound.rate_hz, lead_s, clock, filler=filler)
        self.began()
        if trace is not None:
            playback.on_first_audio = lambda: trace.mark("first_audio_s", self.stream_s())
        limit_s = self.assistant.limits.delivery_s
        await play(playback, sound, self.link, expects_reply=expects_reply, delivery_s=limit_s)

    async def end(self, *, interrupted: bool) -> None:
        """Tell the client that a sound that was stopped is over."""
        playback, self._playback = self._playback, None
        if playback is not None and not playback.ended:
            await self.emit(api.ReplyEnded(playback.reply, playback.turn, playback.heard_s(), interrupted))

    def played(self, reply: str, seconds: float) -> None:
        """The client reports how much of a reply it played."""
        if self._playback is not None and self._playback.reply == reply:
            self._playback.reported_s = max(0.0, seconds)
