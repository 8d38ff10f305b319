"""earshot: a voice activity detector that costs a twentieth of a percent of a core per stream."""

from __future__ import annotations

from entendre.core.audio import Samples
from entendre.core.errors import ModelError
from entendre.speech.framed import Framer

FRAME_SAMPLES = 256
SETTLING_FRAMES = 8


class EarshotStream:
    """One stream. Its first frames are unreliable and count as silence."""

    frame_samples = FRAME_SAMPLES

    def __init__(self) -> None:
        from earshot import Detector

        self._detector = Detector()
        self._framer = Framer(FRAME_SAMPLES)
        self._frames = 0

    def push(self, audio: Samples) -> list[float]:
        """Speech probability of each whole frame, 0-1."""
        found: list[float] = []
        for frame in self._framer.push(audio):
            probability = float(self._detector.predict_i16(frame))
            self._frames += 1
            found.append(probability if self._frames > SETTLING_FRAMES else 0.0)
        return found

    def reset(self) -> None:
        """Forget everything heard."""
        self._detector.reset()
        self._framer.reset()
        self._frames = 0


class EarshotVad:
    """Opens earshot streams; nothing is shared between them."""

    name = "earshot"

    def __init__(self) -> None:
        """Raises: ModelError if the package is missing."""
        try:
            EarshotStream()
        except ImportError as error:
            raise ModelError("The VAD earshot is not installed; `entendre models get earshot` gets it.") from error

    def open(self) -> EarshotStream:
        """A new stream."""
        return EarshotStream()
