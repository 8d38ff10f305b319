"""Which of a few languages somebody speaks, and what a sentence means in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entendre.core.clock import Clock
from entendre.core.plan import World
from entendre.core.scripts import by_script
from entendre.core.understanding import Understanding

if TYPE_CHECKING:
    from entendre.session.assistant import Planner

SURE = 0.7
"""A sentence that is understood so well in the language that it is expected in is not tried in another."""


@dataclass(slots=True)
class Tongue:
    """The languages of one speaker, and the one that was spoken last: people go on in the language they began in."""

    clock: Clock
    memory_s: float
    languages: tuple[str, ...]
    _last: str = ""
    _at_s: float = 0.0

    def expected(self) -> tuple[str, ...]:
        """The languages, the likeliest first."""
        recent = self._last in self.languages and self.clock.wall() - self._at_s <= self.memory_s
        return tuple(dict.fromkeys((self._last, *self.languages))) if recent else self.languages

    def spoken(self, language: str) -> None:
        """A turn was understood in a language."""
        self._last, self._at_s = language, self.clock.wall()


async def understand_in(
    planner: Planner, text: str, languages: Sequence[str], world: World, alternatives: Sequence[str] = ()
) -> tuple[str, Understanding]:
    """The language in which a sentence makes most sense, those that it is expected in first, and what it means."""
    await planner.ready(languages)
    best: tuple[str, Understanding] | None = None
    for language in by_script(text, languages):
        understanding = planner.understand(text, language, world, alternatives)
        if best is None or _sense(understanding) > _sense(best[1]):
            best = language, understanding
        if _sense(understanding) >= SURE:
            break
    assert best is not None
    return best


def _sense(understanding: Understanding) -> float:
    return understanding.confidence if understanding.understood else 0.0
