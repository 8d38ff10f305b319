"""Echo cancellation for devices that leave it to the server: our own speech taken out of what their microphone hears.

A partitioned Kalman filter in the frequency domain: it needs no detector of double talk, so a voice that interrupts
neither spoils it nor is taken out. What is left of an echo still sounds like speech, however faint, so it is hushed.
Source: Enzner and Vary, "Frequency-domain adaptive Kalman filter for acoustic echo control", 2006.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from entendre.core.audio import HOUSE_FORMAT, HOUSE_RATE_HZ, Samples, samples_of
from entendre.core.resample import PcmResampler
from entendre.gateways.xiaozhi.downlink import Downlink
from entendre.gateways.xiaozhi.opus import SAID_FRAME_MS, SAID_RATE_HZ

BLOCK_SAMPLES = 320
PARTITIONS = 12
"""Echoes of up to 240 ms, less what the reference is early."""
EARLY_SAMPLES = HOUSE_RATE_HZ * 60 // 1000
"""The reference runs ahead by this, because a device's timestamps may lag behind what it plays."""
KEPT_FRAMES = 50
"""Frames of our speech that are remembered: what a device can have queued, and some more."""
LEARNING_BLOCKS = 20
"""Blocks, from the first sound that we make in a channel, in which nothing is taken for a voice: 0.4 s."""

MISCOUNTED_MS = 120.0
"""A guess of what plays that is this far from our count is made anew."""

_FRAME_SAMPLES = HOUSE_RATE_HZ * SAID_FRAME_MS // 1000
_BINS = BLOCK_SAMPLES + 1
_FORGETTING = 0.9995
_VOICE_OVER_RESIDUE = 4.0
"""What is left counts as a voice when it is this much stronger than what is usually left of an echo."""
_LEAST_RESIDUE = 0.004
"""Share of an echo's power that is left at best."""
_FALLS, _RISES = 0.1, 0.005
"""How fast the usual residue follows a smaller and a larger one, per block: a voice must not become usual."""
_HUSHED = 0.003
_FULL_SCALE = 32768.0
_SILENT = 1e-8 * BLOCK_SAMPLES
"""Energy of a block (full scale is 1) below which an echo is none."""

_Spectrum = NDArray[np.complex128]


class EchoCanceller:
    """One channel's echo path. Blocks of 20 ms; nothing is delayed."""

    def __init__(self) -> None:
        self._resampler = PcmResampler(SAID_RATE_HZ, HOUSE_RATE_HZ)
        self._said: deque[tuple[int, Samples]] = deque(maxlen=KEPT_FRAMES)
        self._rest = b""
        self._filter = np.zeros((PARTITIONS, _BINS), np.complex128)
        self._uncertainty = np.full((PARTITIONS, _BINS), 1.0)
        self._heard: _Spectrum = np.zeros((PARTITIONS, _BINS), np.complex128)
        self._next_at: int | None = None
        self._learned_blocks = 0
        self._residue = 1.0
        self._echo_power = self._left_power = 0.0

    def say(self, frame: bytes, timestamp_ms: int) -> None:
        """A frame of our speech (PCM16 at 24 kHz) that the device will play with this timestamp."""
        self._rest += self._resampler.push(frame)
        size = _FRAME_SAMPLES * 2
        self._rest = self._rest.rjust(size, b"\0") if not self._said and len(self._rest) < size else self._rest
        if len(self._rest) >= size:
            self._said.append((timestamp_ms, samples_of(self._rest[:size])))
            self._rest = self._rest[size:]

    def clean(self, pcm16: bytes, timestamp_ms: int) -> bytes:
        """What the microphone heard, less our speech; it ended when this frame of ours did, 0: nothing played."""
        if not timestamp_ms or not self._said:
            self._next_at = None
            return pcm16
        heard = samples_of(pcm16)
        at = timestamp_ms * HOUSE_RATE_HZ // 1000 - len(heard) + EARLY_SAMPLES
        cleaned = [
            self._block(heard[start : start + BLOCK_SAMPLES].astype(np.float64) / _FULL_SCALE, at + start)
            for start in range(0, len(heard) - BLOCK_SAMPLES + 1, BLOCK_SAMPLES)
        ]
        whole = len(cleaned) * BLOCK_SAMPLES
        joined = np.concatenate([*cleaned, heard[whole:] / _FULL_SCALE]) if cleaned else heard / _FULL_SCALE
        return np.clip(np.rint(joined * _FULL_SCALE), -32768, 32767).astype("<i2").tobytes()

    def _block(self, heard: NDArray[np.float64], at: int) -> NDArray[np.float64]:
        """One block, whose reference begins at sample `at` of our speech."""
        self._listen(at)
        echo = np.fft.irfft((self._filter * self._heard).sum(axis=0))[BLOCK_SAMPLES:]
        error = heard - echo
        if not self._heard.any():
            return heard
        self._adapt(error)
        return error if self._is_voice(error, echo) else error * _HUSHED

    def _is_voice(self, error: NDArray[np.float64], echo: NDArray[np.float64]) -> bool:
        """Whether what is left is more than what is usually left of our speech."""
        self._left_power = 0.5 * self._left_power + 0.5 * float(error @ error)
        self._echo_power = max(0.85 * self._echo_power, float(echo @ echo))
        if self._learned_blocks < LEARNING_BLOCKS:
            self._learned_blocks += self._reference_is_audible()
            return not self._learned_blocks
        if self._echo_power < _SILENT:
            return True
        share = self._left_power / self._echo_power
        self._residue += (_FALLS if share < self._residue else _RISES) * (min(share, 1.0) - self._residue)
        return share > _VOICE_OVER_RESIDUE * max(self._residue, _LEAST_RESIDUE)

    def _reference_is_audible(self) -> bool:
        return float((np.abs(self._heard[0]) ** 2).mean()) > _SILENT

    def _listen(self, at: int) -> None:
        """Bring the spectra of our latest speech to a position."""
        if self._next_at == at:
            self._heard = np.roll(self._heard, 1, axis=0)
            self._heard[0] = np.fft.rfft(self._reference(at - BLOCK_SAMPLES, 2 * BLOCK_SAMPLES))
        else:
            for back in range(PARTITIONS):
                begin = at - (back + 1) * BLOCK_SAMPLES
                self._heard[back] = np.fft.rfft(self._reference(begin, 2 * BLOCK_SAMPLES))
        self._next_at = at + BLOCK_SAMPLES

    def _reference(self, begin: int, length: int) -> NDArray[np.float64]:
        """Our speech from a sample on; silence where there was none or it is forgotten."""
        found = np.zeros(length)
        for timestamp_ms, samples in self._said:
            start = (timestamp_ms - SAID_FRAME_MS) * HOUSE_RATE_HZ // 1000
            low, high = max(begin, start), min(begin + length, start + _FRAME_SAMPLES)
            if low < high:
                found[low - begin : high - begin] = samples[low - start : high - start] / _FULL_SCALE
        return found

    def _adapt(self, error: NDArray[np.float64]) -> None:
        """Learn from what was left."""
        padded = np.concatenate([np.zeros(BLOCK_SAMPLES), error])
        wrong = np.fft.rfft(padded)
        power = np.abs(self._heard) ** 2
        expected = 0.5 * (self._uncertainty * power).sum(axis=0) + np.abs(wrong) ** 2 + 1e-9
        gain = self._uncertainty / expected
        step = np.fft.irfft(gain * self._heard.conj() * wrong, axis=1)
        step[:, BLOCK_SAMPLES:] = 0.0
        self._filter += np.fft.rfft(step, axis=1)
        kept = _FORGETTING**2
        self._uncertainty = kept * (1.0 - 0.5 * gain * power) * self._uncertainty
        self._uncertainty += (1.0 - kept) * np.abs(self._filter) ** 2


class Echo:
    """A channel's echo canceller, for devices that say what they play and for those that don't."""

    def __init__(self, downlink: Downlink) -> None:
        self._downlink = downlink
        self._canceller = EchoCanceller()
        self._says_time = False
        self._guessed_ms = 0.0
        downlink.on_frame = self._canceller.say

    def clean(self, pcm16: bytes, timestamp_ms: int) -> bytes:
        """What the microphone heard, less our speech. Without the device's timestamps, by our own count."""
        self._says_time = self._says_time or timestamp_ms > 0
        if not self._says_time:
            timestamp_ms = self._guess(HOUSE_FORMAT.seconds(len(pcm16)) * 1000)
        return self._canceller.clean(pcm16, timestamp_ms)

    def _guess(self, length_ms: float) -> int:
        """Packets follow each other; the network only shifts when they come."""
        playing_ms = self._downlink.playing_ms()
        self._guessed_ms += length_ms
        if abs(self._guessed_ms - playing_ms) > MISCOUNTED_MS:
            self._guessed_ms = float(playing_ms)
        return round(self._guessed_ms) if playing_ms else 0
