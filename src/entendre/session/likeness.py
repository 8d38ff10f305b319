"""Whether two speakers heard the same words: by their transcripts, and by how the loudness rises and falls.

Two microphones hear one voice with the same rhythm, however near, loud or reverberant; two voices never keep one.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz

from entendre.core.audio import HOUSE_RATE_HZ, Samples

Rhythm = npt.NDArray[np.float32]
"""Loudness of an utterance every 20 ms, bels above its floor. Shape: (frames,)."""

SAME_RHYTHM = 0.85
OTHER_RHYTHM = 0.65
"""Correlation from which two rhythms are surely of one voice, and below which they are not.

Measured on 39 recorded commands, each heard near (25 dB) and far (10 dB, 0.4 s of reverberation): one voice correlates
by 0.88 to 0.95; 1.5 % of pairs of different commands by more than 0.85, and 26 % by more than 0.65.
"""

SAME_WORDS = 80.0
SAME_WORDS_MISHEARD = 50.0
"""Likeness of two transcripts of the same words, percent; the second if the rhythm says so or one was not understood.

With a rhythm that says so, words that were not understood may be any.

Measured with the default recognizer on those recordings: 37 of 39 pairs are taken for the same, and 16 of 703 pairs of
different commands, in each of which one was not understood.
"""
IDENTICAL_WORDS = 97.0
"""Who says the very same at once wants it once, whatever the rhythm."""

_FRAME_SAMPLES = HOUSE_RATE_HZ // 50
_FLOOR_BELS = 3.0
"""What is so far below the loudest moment is taken for silence, so that noise has no rhythm."""
_LONGEST_LAG_FRAMES = 50
"""Speakers cut an utterance up to a second apart."""
_LEAST_FRAMES = 25
_LEAST_SHARE = 0.6
_QUIET_PERCENTILE, _LOUD_PERCENTILE = 10, 90
_WORDS = re.compile(r"\w+")


def rhythm_of(audio: Samples) -> Rhythm | None:
    """The rhythm of an utterance; None for one that is too short or too even to have any. Shape: (n,) at 16 kHz."""
    power = _powers(audio)
    if len(power) < _LEAST_FRAMES:
        return None
    bels = np.log10(power)
    above = np.maximum(bels - bels.max() + _FLOOR_BELS, 0.0).astype(np.float32)
    return above if above.std() > 0.1 else None


def same_rhythm(one: Rhythm, other: Rhythm) -> float:
    """The best correlation of two rhythms over the times by which they may be apart, -1 to 1."""
    best = -1.0
    for lag in range(-_LONGEST_LAG_FRAMES, _LONGEST_LAG_FRAMES + 1):
        left, right = one[max(0, lag) :], other[max(0, -lag) :]
        count = min(len(left), len(right))
        if count < max(_LEAST_FRAMES, _LEAST_SHARE * min(len(one), len(other))):
            continue
        left, right = left[:count] - left[:count].mean(), right[:count] - right[:count].mean()
        scale = float(np.sqrt((left @ left) * (right @ right)))
        best = max(best, float(left @ right) / scale if scale > 0 else -1.0)
    return best


def same_words(one: str, other: str, *, understood: bool, rhythm: float | None) -> bool:
    """Whether two transcripts are of the same words. `understood`: both were; `rhythm`: how alike they sounded."""
    likeness = fuzz.ratio(_plain(one), _plain(other))
    if likeness >= IDENTICAL_WORDS:
        return True
    if rhythm is not None and rhythm < OTHER_RHYTHM:
        return False
    if rhythm is not None and rhythm >= SAME_RHYTHM:
        return not understood or likeness >= SAME_WORDS_MISHEARD
    return likeness >= (SAME_WORDS if understood else SAME_WORDS_MISHEARD)


def signal_db(audio: Samples) -> float:
    """How far an utterance stands out of its noise, decibels; 0 for less than two frames. Shape: (n,) at 16 kHz."""
    power = _powers(audio)
    if len(power) < 2:
        return 0.0
    low, high = np.percentile(power, (_QUIET_PERCENTILE, _LOUD_PERCENTILE))
    return float(10 * np.log10(high / low))


def _powers(audio: Samples) -> npt.NDArray[np.float32]:
    """The mean square of each whole frame, and one, so that silence has a logarithm."""
    whole = len(audio) // _FRAME_SAMPLES * _FRAME_SAMPLES
    frames = audio[:whole].reshape(-1, _FRAME_SAMPLES).astype(np.float32)
    power: npt.NDArray[np.float32] = np.mean(frames * frames, axis=1) + np.float32(1.0)
    return power


def _plain(text: str) -> str:
    return " ".join(_WORDS.findall(text.casefold()))
