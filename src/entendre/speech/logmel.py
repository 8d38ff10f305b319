"""Whisper's log-mel spectrogram in numpy.

Source: openai/whisper `audio.py` and faster-whisper `feature_extractor.py`, whose output this equals.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from entendre.core.audio import HOUSE_RATE_HZ, Samples

WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
FRAMES_PER_S = HOUSE_RATE_HZ // HOP_SAMPLES

Spectrogram = NDArray[np.float32]
"""Shape: (mels, frames)."""


@lru_cache(maxsize=2)
def mel_filters(mels: int) -> NDArray[np.float32]:
    """Slaney-normalised triangular filters. Shape: (mels, 201)."""
    bins_hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1.0 / HOUSE_RATE_HZ)
    scale = np.linspace(0.0, 45.245640471924965, mels + 2)
    edges_hz = np.where(scale < 15.0, scale * 200.0 / 3.0, 1000.0 * np.exp(np.log(6.4) / 27.0 * (scale - 15.0)))
    widths_hz = np.diff(edges_hz)
    ramps = edges_hz[:, None] - bins_hz[None, :]
    rising = -ramps[:-2] / widths_hz[:-1, None]
    falling = ramps[2:] / widths_hz[1:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights *= (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]
    filters: NDArray[np.float32] = weights.astype(np.float32)
    return filters


@lru_cache(maxsize=1)
def _hann() -> NDArray[np.float32]:
    window: NDArray[np.float32] = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
    return window


def log_mel(audio: Samples, *, silence_s: float = 0.0, mels: int = 80) -> Spectrogram:
    """The spectrogram of `audio` followed by `silence_s` of silence, with an even number of frames.

    Shape: (n,) int16 -> (mels, frames).
    """
    half = WINDOW_SAMPLES // 2
    length = len(audio) + int(silence_s * HOUSE_RATE_HZ)
    frames = max(2, -(-length // (2 * HOP_SAMPLES)) * 2)
    padded = np.zeros(frames * HOP_SAMPLES + WINDOW_SAMPLES, np.float32)
    padded[half : half + len(audio)] = audio.astype(np.float32) / 32768.0
    if len(audio) > half:
        padded[:half] = padded[half + 1 : 2 * half + 1][::-1]
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[: frames * HOP_SAMPLES : HOP_SAMPLES]
    power = np.abs(np.fft.rfft(windows * _hann(), axis=1)).astype(np.float32) ** 2
    spectrum = np.log10(np.maximum(mel_filters(mels) @ power.T, 1e-10))
    spectrum = np.maximum(spectrum, spectrum.max() - 8.0)
    return np.ascontiguousarray((spectrum + 4.0) / 4.0, dtype=np.float32)
