"""What a person is told while an answer takes longer than usual: once a turn, and never when the answer is there."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from entendre.core.errors import EntendreError
from entendre.session import api
from entendre.session.mouth import Mouth
from entendre.session.speaking import begun
from entendre.session.trace import Trace

log = logging.getLogger(__name__)

LEAST_S = 0.3
"""An answer may be about to come when the turn is over, so this long is waited in any case."""

STILL_WORKING = "still_working"
"""Key of the phrase that is shown and said."""


@dataclass(slots=True)
class Patience:
    """Tells one speaker's people that a turn is still being worked on."""

    mouth: Mouth
    _task: asyncio.Task[None] | None = None
    _sounding: bool = False

    def begin(self, turn: str, trace: Trace, language: str, *, waited_s: float, aloud: bool) -> None:
        """A turn is to be answered. `waited_s`: how long ago its speech ended; `aloud`: it may also be said."""
        after_s = self.mouth.assistant.limits.filler_after_s
        if after_s <= 0:
            return
        self._sounding = False
        work = self._tell(turn, trace, language, max(LEAST_S, after_s - waited_s), aloud)
        self._task = asyncio.create_task(work, name="patience")

    async def hush(self) -> None:
        """The answer is about to come: nothing begins any more."""
        if not self._sounding:
            await self.stop()

    async def give_way(self) -> None:
        """The answer is there: what sounds already is heard out."""
        await self.hush()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def stop(self) -> None:
        """Nothing is said any more; whoever stops a sound ends it (`Mouth.end`)."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _tell(self, turn: str, trace: Trace, language: str, after_s: float, aloud: bool) -> None:
        """Task root: a turn goes on whatever becomes of this."""
        await asyncio.sleep(after_s)
        try:
            text = self.mouth.assistant.planner.phrase(STILL_WORKING, language)
            trace.mark("still_working_s", self.mouth.stream_s())
            await self.mouth.emit(api.StillWorking(turn, text))
            if aloud and self.mouth.voice(language) is not None:
                await self._say(turn, text, language)
        except EntendreError as error:
            log.info("filler failed", extra={"turn": turn, "code": error.code})
            await self.mouth.end(interrupted=True)

    async def _say(self, turn: str, text: str, language: str) -> None:
        sound = await begun(self.mouth.sound(text, language=language))
        self._sounding = True
        await self.mouth.play(sound, turn, filler=True)
