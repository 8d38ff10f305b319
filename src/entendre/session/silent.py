"""Stand-ins for a server without speech: text works, and audio is answered with what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from entendre.core.audio import Samples
from entendre.core.errors import RecognitionError
from entendre.ports import Transcript, VadStream


class NoEars:
    """Hears nothing, and says why."""

    name = "none"
    languages: frozenset[str] = frozenset()

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> Transcript:
        """Raises: RecognitionError."""
        raise RecognitionError("This server has no recognizer. Install the speech extra, or name a remote one.")


class NoVad:
    """Scores nothing, so that no utterance ever begins by itself."""

    name = "none"
    frame_samples = 512

    def open(self) -> VadStream:
        """A stream that stays silent."""
        return self

    def push(self, audio: Samples) -> list[float]:
        """No frames."""
        return []

    def reset(self) -> None:
        """Nothing to forget."""
