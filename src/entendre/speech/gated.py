"""A VAD with an ear for loudness: doubtful scores are raised where it is loud, and cut where the sound has gone.

A neural VAD goes on for about 90 ms after the voice (its state decays), and scores a mumbled last syllable low.
Loudness tells both apart: a frame that fell back to the room's noise is silence whatever the score says.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.ports import Vad, VadStream
from entendre.speech.framed import Framer

FLOOR_S = 1.5
"""The room's noise is the quietest of this much audio; speech has pauses more often than that."""
ABOVE_FLOOR = 2.0
BELOW_PEAK = 0.18
"""Both must hold for silence: close to the room's noise, and far (15 dB) below the speaker's recent peak."""
PEAK_DECAY_S = 2.0
LEAST_RMS = 8.0
"""Digital silence is no noise floor."""
SILENT_RMS = 40.0
"""Nobody speaks this softly into any microphone (-58 dBFS)."""
SETTLE_S = 0.5
"""The VAD goes on hearing this much silence after a voice, so that its state comes to rest."""
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
    """Scores of one stream; a frame as quiet as the room scores 0, in a long silence without asking the VAD.

    Most open microphones hear nothing most of the time, and the network would be what they cost.
    """

    def __init__(self, stream: VadStream) -> None:
        self._stream = stream
        self.frame_samples = stream.frame_samples
        self._framer = Framer(self.frame_samples)
        frame_s = self.frame_samples / HOUSE_RATE_HZ
        self._recent: deque[float] = deque(maxlen=max(1, round(FLOOR_S / frame_s)))
        self._decay = float(np.exp(-frame_s / PEAK_DECAY_S))
        self._settle_frames = max(1, round(SETTLE_S / frame_s))
        self.reset()

    def push(self, audio: Samples) -> list[float]:
        """Speech probability of each whole frame so far."""
        return [self._score(frame) for frame in self._framer.push(audio)]

    def reset(self) -> None:
        """Forget the voice; the room's noise stays known."""
        self._stream.reset()
        self._framer.reset()
        self._peak = 0.0
        self._quiet_frames = 0
        self._skipped: Samples | None = None

    def _score(self, frame: Samples) -> float:
        heard = frame.astype(np.float32)
        rms = max(math.sqrt(float(np.dot(heard, heard)) / len(heard)), LEAST_RMS)
        self._recent.append(rms)
        self._peak = max(rms, self._peak * self._decay)
        floor = min(self._recent)
        quiet = rms < floor * ABOVE_FLOOR and (rms < self._peak * BELOW_PEAK or rms < SILENT_RMS)
        self._quiet_frames = self._quiet_frames + 1 if quiet else 0
        if self._quiet_frames > self._settle_frames:
            self._skipped = frame
            return 0.0
        score = self._ask(frame)
        if quiet:
            return 0.0
        return max(score, RAISED) if rms > floor * LOUD and score >= POSSIBLE else score

    def _ask(self, frame: Samples) -> float:
        """The VAD's own score; after a pause it is shown the frame before, as context."""
        if self._skipped is not None:
            self._stream.push(self._skipped)
            self._skipped = None
        [score] = self._stream.push(frame)
        return score
