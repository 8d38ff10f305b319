"""Whose assistant answers on a device: its own brand's, or the partner's that the brand lends it to, as it is now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from entendre.core.errors import EntendreError
from entendre.core.tags import first_tag
from entendre.ports.brands import AssistantProfile
from entendre.session.api import DeviceProfile, ListenMode
from entendre.session.assistant import Assistant
from entendre.session.visits import Visit

log = logging.getLogger(__name__)

AssistantOf = Callable[[str], Awaitable[AssistantProfile | None]]
"""The assistant that a device has now; None for one of no brand. Raises: StoreError."""


async def _of_no_brand(device: str) -> AssistantProfile | None:
    return None


class Lending:
    """Has the conversations of devices that were proven use the assistant that is theirs. `close` it at the end."""

    def __init__(self, engines: Assistant, visits: Mapping[str, set[Visit]]) -> None:
        """`engines` has the voices and wake words that are installed; `visits` are those of each device."""
        self.assistant_of: AssistantOf = _of_no_brand
        self._engines = engines
        self._visits = visits
        self._asked = 0
        self._seen: frozenset[int] = frozenset()
        self._due = False
        self._task: asyncio.Task[None] | None = None

    async def dress(self, visit: Visit) -> None:
        """Have a visit use its device's assistant. One that can't be asked for leaves what is: devices keep working."""
        self._asked += 1
        number = self._asked
        try:
            assistant = await self.assistant_of(visit.profile.device)
        except EntendreError as error:
            log.warning("a device's assistant is not known", extra={"code": error.code})
            return
        if number > visit.dressed:  # what was asked for later is newer
            visit.dressed = number
            visit.become(lambda profile: as_wanted(profile, assistant, self._engines))

    def changed(self, numbers: frozenset[int]) -> None:
        """Brands and partnerships were changed by changes of these numbers: look again, unless they were seen."""
        fresh, self._seen = numbers - self._seen, numbers
        if not fresh or not self._visits:
            return
        self._due = True
        if self._task is None:
            self._task = asyncio.create_task(self._dress_all(), name="lending")

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _dress_all(self) -> None:
        """Task root."""
        try:
            while self._due:
                self._due = False
                for visit in [visit for visits in self._visits.values() for visit in visits]:
                    await self.dress(visit)
        except Exception:
            log.exception("the assistants of devices could not be changed")
        finally:
            self._task = None


def as_wanted(profile: DeviceProfile, assistant: AssistantProfile | None, engines: Assistant) -> DeviceProfile:
    """A device's profile with its assistant's name, voice, language and wake words, where it has no own.

    A language that no voice speaks, though one speaks the device's, would leave the device mute: it stays.
    """
    if assistant is None:
        return profile
    language = profile.language if profile.language_chosen else assistant.language or profile.language
    if engines.voice_for(first_tag(language)) is None and engines.voice_for(profile.language) is not None:
        log.info("no voice speaks the assistant's language", extra={"device": profile.device})
        language = profile.language
    voice = profile.voice or assistant.voice
    if voice is not None and voice == assistant.voice and engines.voice_named(voice, first_tag(language)) is None:
        log.info("the assistant's voice is not installed", extra={"device": profile.device})
    words = profile.wake_words
    if profile.mode is ListenMode.WAKE and not words and engines.wake_word is not None:
        words = tuple(word for word in engines.wake_word.words if word in assistant.wake_words)
    return replace(profile, language=language, voice=voice, wake_words=words, assistant=assistant.name)
