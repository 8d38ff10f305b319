"""The items of one conversation, bounded, in order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from entendre.wire.realtime_items import Item

MAX_ITEMS = 256
"""Oldest items are forgotten beyond this; nothing here depends on a long history."""


@dataclass(slots=True)
class Said:
    """How much audio of an item was sent, and which reply it is."""

    reply: str
    milliseconds: float = 0.0


class Items:
    """Items by id in conversation order."""

    def __init__(self) -> None:
        self._items: dict[str, Item] = {}
        self._unanswered: list[str] = []
        self._with_audio: str | None = None
        self.said: dict[str, Said] = {}

    def __contains__(self, item: str) -> bool:
        return item in self._items

    def __getitem__(self, item: str) -> Item:
        return self._items[item]

    @property
    def last(self) -> str | None:
        """The newest item's id."""
        return next(reversed(self._items), None)

    def add(self, item: Item, previous: str | None = None) -> str | None:
        """Put an item behind `previous`, "root" for the start, None for the end; what it came to stand behind.

        Only the newest audio of the user's can still be asked about, so that no other is kept.
        """
        if item.audio and item.role == "user":
            self._drop_audio(self._with_audio)
            self._with_audio = item.id
        elif item.audio:
            item = _silent(item)
        if previous is None or previous == self.last:
            stands_behind, self._items[item.id] = self.last, item
        else:
            order = list(self._items.values())
            place = 0 if previous == "root" else list(self._items).index(previous) + 1
            order.insert(place, item)
            self._items = {held.id: held for held in order}
            stands_behind = order[place - 1].id if place else None
        while len(self._items) > MAX_ITEMS:
            self.remove(next(iter(self._items)))
        return stands_behind

    def replace(self, item: Item) -> None:
        """Keep a newer version of an item, if it is still known."""
        if item.id in self._items:
            self._items[item.id] = item

    def remove(self, item: str) -> None:
        """Forget an item."""
        del self._items[item]
        self.said.pop(item, None)
        if item in self._unanswered:
            self._unanswered.remove(item)

    def ask(self, item: Item) -> None:
        """A user's item waits for a response."""
        self._unanswered.append(item.id)

    def take_asked(self) -> Item | None:
        """The newest item that waits for a response; older ones no longer do."""
        asked = self._items[self._unanswered[-1]] if self._unanswered else None
        self._unanswered.clear()
        return asked

    def _drop_audio(self, item: str | None) -> None:
        if item in self._items:
            self._items[item] = _silent(self._items[item])

    def transcribe(self, item: str, words: str) -> None:
        """Keep the words of spoken audio, and drop the audio."""
        if item in self._items:
            written = self._items[item]
            parts = tuple(
                replace(part, transcript=words, audio=b"") if part.kind == "input_audio" else part
                for part in written.parts
            )
            self._items[item] = replace(written, parts=parts)

    def has_call(self, call: str) -> bool:
        """Whether a function call with this id was made."""
        return any(item.kind == "function_call" and item.call == call for item in self._items.values())

    def transcribed(self, item: str) -> bool:
        """Whether the words of a spoken item are known."""
        return item in self._items and any(part.transcript is not None for part in self._items[item].parts)


def _silent(item: Item) -> Item:
    return replace(item, parts=tuple(replace(part, audio=b"") for part in item.parts))
