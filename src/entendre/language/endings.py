"""Whether a speaker has said enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from entendre.core.understanding import Completeness
from entendre.language.grammar import OPEN
from entendre.language.meaning import Meaning
from entendre.language.moments import Moment
from entendre.language.pack import WordData
from entendre.language.phrases import EdgeWords
from entendre.language.search import Reading, Search, Step
from entendre.language.times import ClockTime
from entendre.language.values import NAMED, Values

MAX_OPEN_WAITING = 3
WAITING_SLOTS = frozenset({"item", "text"})
"""Open slots after which people pause before they go on; in a name they do not."""


class Endings:
    """What a language says of how sentences end."""

    def __init__(self, data: WordData, words_of: Callable[[str], tuple[str, ...]]) -> None:
        self._dangling = EdgeWords((*data.dangling, *data.dangling_unless_whole), words_of)
        self._used_if_whole = EdgeWords((*data.dangling_unless_whole, *data.fillers), words_of)
        self._never = EdgeWords(data.never_ends, words_of)
        self._open_waiting = MAX_OPEN_WAITING * data.tokens_a_word

    def completeness(self, words: Sequence[str], last: Meaning | None, search: Search, values: Values) -> Completeness:
        """The completeness of a sentence whose last command understood is `last`; `search` is its exact search."""
        if not words:
            return Completeness.UNKNOWN
        whole = last is not None and not last.ends_open and (last.exact or self._ends_well(words, last))
        if self._never.ends(words) or (self._dangling.ends(words) and not whole):
            return Completeness.INCOMPLETE
        if last is not None and (last.exact or not _alive(search, values, 0)):
            ending_of_whole = _of_whole(words, last, search, values)
            trails_off = ending_of_whole is Completeness.COMPLETE and not last.ends_used
            return Completeness.EXTENDABLE if trails_off else ending_of_whole
        return Completeness.INCOMPLETE if self.goes_on(search, values) else Completeness.UNKNOWN

    def goes_on(self, search: Search, values: Values) -> bool:
        """Whether the words searched are the beginning of a longer sentence."""
        return _alive(search, values, self._open_waiting)

    def _ends_well(self, words: Sequence[str], last: Meaning) -> bool:
        """Whether a repaired command has a use for a last word that often leaves a sentence open ("the lite on")."""
        return last.ends_used and self._used_if_whole.ends(words)


def _of_whole(words: Sequence[str], last: Meaning, search: Search, values: Values) -> Completeness:
    declared = last.template.block.completeness
    step = last.steps[-1] if last.steps else None
    ends_in_slot = step is not None and step.found.end == last.word_count
    if declared is not None:
        undecided = declared == "complete" and step is not None and ends_in_slot and _is_undecided(step)
        return Completeness.EXTENDABLE if undecided else Completeness(declared)
    if step is None or not ends_in_slot:
        return Completeness.COMPLETE
    if step.slot.kind in (OPEN, "duration"):
        return Completeness.EXTENDABLE
    if _is_undecided(step):
        return Completeness.EXTENDABLE
    start = len(words) - last.word_count + step.start
    if step.slot.kind in NAMED:
        wanted = {kind for state in search.beams[start] for kind in state.kinds if kind in NAMED}
        if any(values.may_go_on(kind, start) for kind in wanted):
            return Completeness.EXTENDABLE
    return Completeness.COMPLETE


def _is_undecided(step: Step) -> bool:
    """Whether a last slot would mean something else if more were said: half of the day, or free words."""
    value = step.found.value
    return step.slot.name == "text" or (isinstance(value, ClockTime | Moment) and value.ambiguous)


def _alive(search: Search, values: Values, open_words: int) -> bool:
    """Whether some template goes on; an open slot of more than `open_words` that waits says little."""
    if any(_wants_more(reading, len(search.beams) - 1, open_words) for reading in search.beams[-1].values()):
        return True
    asked: set[tuple[str, int]] = set()
    for position, beam in enumerate(search.beams[:-1]):
        for state in beam:
            for kind in state.kinds:
                if kind != OPEN and (kind, position) not in asked:
                    asked.add((kind, position))
                    if values.may_go_on(kind, position):
                        return True
    return False


def _wants_more(reading: Reading, end: int, open_words: int) -> bool:
    step, state = reading.steps, reading.state
    if step is not None and step.slot.kind == OPEN and step.found.end == end:
        waits = step.start > 0 and step.slot.name in WAITING_SLOTS and end - step.start <= open_words
        if not waits:
            return False
    return not state.accepts and state.goes_on
