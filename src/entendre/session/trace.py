"""A turn's trace: when each thing happened, on the uplink stream's own clock."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Trace:
    """Spans of one turn in stream seconds; `mark` keeps the first time unless told to replace it.

    Names: speech_start_s, speech_end_s, draft_asked_s, draft_s (its words were there), understood_s, commit_s, acted_s,
    still_working_s (people were told that it takes long), synthesis_s (reply audio was asked for), first_audio_s,
    played_s.
    """

    spans: dict[str, float] = field(default_factory=dict)

    def mark(self, name: str, at_s: float, *, replace: bool = False) -> None:
        """Note that something happened at a stream time."""
        if replace or name not in self.spans:
            self.spans[name] = round(at_s, 4)
