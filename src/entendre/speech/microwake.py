"""microWakeWord: a few milliseconds of a core per second and word, so that many streams can listen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import InvalidInputError, ModelError
from entendre.ports import WakeDetection

HOP_SAMPLES = 160
DEAF_S = 1.0
"""After a hit a word is not reported again for so long, nor before its score has fallen, which can take longer."""
FALLEN = 0.5


class MicroWakeStream:
    """One stream: one feature front end, one small network per word."""

    def __init__(self, words: Sequence[tuple[str, Any]], features: Any) -> None:
        self._words = words
        self._features = features
        self._heard_samples = 0
        self._windows = 0
        self._deaf_until: dict[str, int] = {}

    def push(self, audio: Samples) -> list[WakeDetection]:
        """Detections in these samples."""
        found: list[WakeDetection] = []
        for start in range(0, len(audio), HOP_SAMPLES):
            piece = audio[start : start + HOP_SAMPLES]
            self._heard_samples += len(piece)
            for window in self._features.process_streaming(piece.astype("<i2").tobytes()):
                found.extend(self._judge(window))
        return found

    def _judge(self, window: Any) -> list[WakeDetection]:
        """Networks look at every `stride`-th window only; what they return in between is no score."""
        found: list[WakeDetection] = []
        self._windows += 1
        for word, network in self._words:
            score = network.process_streaming_prob(window)
            if score is None or self._windows % network.stride:
                continue
            deaf = self._heard_samples < self._deaf_until.get(word, 0)
            if not deaf and score < FALLEN * network.probability_cutoff:
                self._deaf_until.pop(word, None)
            if score <= network.probability_cutoff or word in self._deaf_until:
                continue
            self._deaf_until[word] = self._heard_samples + int(DEAF_S * HOUSE_RATE_HZ)
            found.append(WakeDetection(word, self._heard_samples / HOUSE_RATE_HZ, float(score)))
        return found

    def reset(self) -> None:
        """Forget everything heard; positions start at zero again."""
        self._features.reset()
        for _, network in self._words:
            network.reset()
        self._heard_samples = 0
        self._windows = 0
        self._deaf_until.clear()


class MicroWakeWords:
    """The wake words of the pymicro-wakeword package."""

    name = "microwakeword"

    def __init__(self) -> None:
        """Raises: ModelError if the package is missing."""
        try:
            folder = resources.files("pymicro_wakeword").joinpath("models")
            configs = [entry for entry in folder.iterdir() if entry.name.endswith(".json")]
            self._files = {_spoken(json.loads(entry.read_text())["wake_word"]): str(entry) for entry in configs}
            cutoffs = resources.files("entendre.speech").joinpath("wake_cutoffs.json").read_text(encoding="utf-8")
            self._cutoffs: dict[str, float] = json.loads(cutoffs)
        except (ImportError, OSError) as error:
            raise ModelError(
                "microWakeWord is not installed; `entendre models get microwakeword` gets it.", detail=str(error)
            ) from error
        self.words = tuple(sorted(self._files))

    def open(self, words: Sequence[str]) -> MicroWakeStream:
        """A new stream that listens for these words. Raises: InvalidInputError for a word it does not know."""
        from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

        wanted = [_spoken(word) for word in words]
        for word in wanted:
            if word not in self._files:
                raise InvalidInputError(f"The wake word {word} is unknown; known are {', '.join(self.words)}.")
        networks = [(word, MicroWakeWord.from_config(self._files[word])) for word in dict.fromkeys(wanted)]
        for word, network in networks:
            network.probability_cutoff = self._cutoffs.get(word, network.probability_cutoff)
        return MicroWakeStream(networks, MicroWakeWordFeatures())


def _spoken(word: str) -> str:
    """A wake word as users write it: lower case, words apart."""
    return " ".join(word.replace("_", " ").lower().split())
