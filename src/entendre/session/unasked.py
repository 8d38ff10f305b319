"""What one speaker sounds without having been asked there: rings first, then announcements, then media."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from entendre.core.actions import ControlMedia
from entendre.core.errors import EntendreError, MediaError
from entendre.session import api
from entendre.session.announcing import Announcement, Waiting
from entendre.session.commit import Committer
from entendre.session.media import Media
from entendre.session.mouth import Mouth
from entendre.session.rings import Rings
from entendre.session.speaking import Sound
from entendre.session.tones import ring_tone

log = logging.getLogger(__name__)

SPOKEN_EVERY = 3
"""Of so many soundings of a ring, one says what it is for."""


@dataclass(slots=True)
class Unasked:
    """The rings, announcements and media of one speaker. `wake` is called when one of them is due."""

    mouth: Mouth
    wake: Callable[[], None]
    rings: Rings = field(init=False)
    media: Media = field(init=False)
    plays_media: bool = False
    """What sounds now is media, which makes way for everything else."""
    _announcements: Waiting = field(init=False)

    def __post_init__(self) -> None:
        assistant = self.mouth.assistant
        self.rings = Rings(assistant.clock)
        self.media = Media(assistant.media if self.mouth.profile.replies_aloud else None, self.wake)
        self._announcements = Waiting(assistant.limits.announcements)

    def announce(self, announcement: Announcement) -> None:
        """Say something when nobody speaks. Raises: OverloadedError when many wait."""
        self._announcements.add(announcement, self.mouth.assistant.clock.monotonic())
        self.wake()

    def unsaid(self) -> list[Announcement]:
        """The announcements that wait, which others are to say now."""
        return self._announcements.rest(self.mouth.assistant.clock.monotonic())

    def control_media(self, action: ControlMedia, committer: Committer) -> None:
        """Play, pause or stop media that was asked for elsewhere."""
        self.mouth.assistant.keeper.start(self._media_from_elsewhere(action, committer), "media")

    def interrupts_media(self) -> bool:
        """Whether media that sounds makes way: for rings, for announcements, or for its own end elsewhere."""
        if self.plays_media and not self.media.playing:
            return True
        return bool(self.rings.news or self.rings.sounding()) or self._may_announce()

    def next(self, *, awaits_words: bool) -> Coroutine[Any, Any, None] | None:
        """What to sound now, None for nothing.

        `awaits_words`: the microphone was opened for somebody, so only rings may sound.
        """
        if self.rings.news:
            return self._tell_rings()
        if self.rings.sounding():
            return self._sound_rings()
        if awaits_words:
            return None
        if self._may_announce():
            return self._announce(self._announcements.take())
        return self._play_media() if self.media.due() and not self.rings.current() else None

    def stopped(self, *, by_hand: bool) -> None:
        """What sounded was stopped."""
        if self.plays_media:
            self.media.interrupted(by_hand=by_hand)

    def _may_announce(self) -> bool:
        return not self.rings.current() and self._announcements.due(self.mouth.assistant.clock.monotonic())

    async def _announce(self, announcement: Announcement) -> None:
        language = announcement.language or self.mouth.profile.language
        await self.mouth.play(self.mouth.sound(announcement.text, language=language))

    async def _media_from_elsewhere(self, action: ControlMedia, committer: Committer) -> None:
        """Task root: nobody here waits for an answer."""
        try:
            async with asyncio.timeout(self.mouth.assistant.limits.action_s):
                await committer.control_media(action)
        except (EntendreError, TimeoutError) as error:
            code = getattr(error, "code", "timeout")
            log.info("media refused", extra={"device": self.mouth.profile.device, "code": code})
            return
        self.wake()

    async def _play_media(self) -> None:
        """Sound it until it ends or is interrupted; a stream that breaks is told."""
        self.plays_media, name = True, self.media.name
        try:
            await self.mouth.play(self.media.sound())
            self.media.stop()
        except MediaError:
            self.media.stop()
            self.plays_media = False
            await self.mouth.end(interrupted=False)
            await self.mouth.play(self.mouth.sound(self.mouth.phrase(MediaError.code, name=name)))
        finally:
            self.plays_media = False

    async def _tell_rings(self) -> None:
        news, self.rings.news = self.rings.news, []
        for change, ring in news:
            started = change == "started"
            event = api.RingStarted(ring.id, ring.kind, ring.name) if started else api.RingStopped(ring.id)
            await self.mouth.emit(event)

    async def _sound_rings(self) -> None:
        """The tone, and now and then what it is for; the microphone opens afterwards, for "stop"."""
        ringing = self.rings.sounding()
        spoken = " ".join(dict.fromkeys(ring.text for ring in ringing if ring.sounded % SPOKEN_EVERY == 0))
        sound = self.mouth.sound(spoken, language=ringing[0].language or self.mouth.profile.language)
        with_tone = Sound(spoken, sound.rate_hz, _after(ring_tone(sound.rate_hz), sound if spoken else None))
        self.rings.sounded()
        await self.mouth.play(with_tone, expects_reply=True)
        self.rings.sounded()


async def _after(tone: bytes, sound: Sound | None) -> AsyncIterator[bytes]:
    yield tone
    if sound is not None and sound.chunks is not None:
        async for chunk in sound.chunks:
            yield chunk
