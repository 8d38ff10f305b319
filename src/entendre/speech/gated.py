"""A VAD with an ear for loudness: doubtful scores are raised where it is loud, and cut where the sound has gone.

A neural VAD goes on for about 90 ms after the voice (its state decays), and scores a mumbled last syllable low.
Loudness tells both apart: a frame that fell back to the room's noise is silence whatever the score says.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.ports import Vad, VadStream

FLOOR_S = 1.5
"""The room's noise is the quietest of this much audio; speech has pauses more often than that."""
ABOVE_FLOOR = 2.0
BELOW_PEAK = 0.18
"""Both must hold for silence: close to the room's noise, and far (15 dB) below the speaker's recent peak."""
PEAK_DECAY_S = 2.0
LEAST_RMS = 8.0
"""Digital silence is no noise floor."""
LOUD = 4.0
POSSIBLE = 0.1
RAISED = 0.5
"""A frame 12 dB above the room's noise that the VAD does not rule out counts as speech: accents and noisy microphones
score a tenth of what clear voices do. It may start and carry an utterance, but is not enough to interrupt a reply."""


class GatedVad:
    """Any VAD with a loudness gate behind it."""

    def __init__(self, vad: Vad) -> None:
        self._vad = vad
        self.name = vad.name

    def open(self) -> VadStream:
        """A new stream with its own state."""
        return GatedStream(self._vad.open())


class GatedStream:
    """Scores of one stream; a frame as quiet as the room scores 0."""

    def __init__(self, stream: VadStream) -> None:
        self._stream = stream
        self.frame_samples = stream.frame_samples
        self._rest = np.zeros(0, dtype=np.int16)
        frame_s = self.frame_samples / HOUSE_RATE_HZ
        self._recent: deque[float] = deque(maxlen=max(1, round(FLOOR_S / frame_s)))
        self._decay = float(np.exp(-frame_s / PEAK_DECAY_S))
        self._peak = 0.0

    def push(self, audio: Samples) -> list[float]:
        """Speech probability of each whole frame so far."""
        scores = self._stream.push(audio)
        heard = np.concatenate([self._rest, audio]) if len(self._rest) else audio
        whole = len(scores) * self.frame_samples
        self._rest = np.array(heard[whole:])
        frames = heard[:whole].astype(np.float32).reshape(-1, self.frame_samples)
        return [self._gated(score, float(np.sqrt(np.mean(f * f)))) for score, f in zip(scores, frames, strict=True)]

    def reset(self) -> None:
        """Forget the voice; the room's noise stays known."""
        self._stream.reset()
        self._rest = np.zeros(0, dtype=np.int16)
        self._peak = 0.0

    def _gated(self, score: float, rms: float) -> float:
        rms = max(rms, LEAST_RMS)
        self._recent.append(rms)
        self._peak = max(rms, self._peak * self._decay)
        floor = min(self._recent)
        if rms < floor * ABOVE_FLOOR and rms < self._peak * BELOW_PEAK:
            return 0.0
        if rms > floor * LOUD and score >= POSSIBLE:
            return max(score, RAISED)
        return score
