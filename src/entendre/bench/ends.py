"""Where speech truly starts and ends in a recording, by its energy: never by the VAD that is being measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from entendre.core.audio import Samples

FRAME_S = 0.01
HIGH_PASS_HZ = 120.0
"""Hum and handling noise lie below the voice."""
FLOOR_PERCENTILE = 8.0
PEAK_PERCENTILE = 97.0
TAIL_S = 0.3
"""A recording's last moments hold its room noise, louder than its first where a device raises its gain."""
ABOVE_FLOOR_DB = 9.0
BELOW_PEAK_DB = 38.0
"""A quieter sound than this is breath or room, also where a recording has digital silence."""
CHECK_DB = 3.0
SHORTEST_BURST_FRAMES = 3
LONE_BURST_FRAMES = 8
NEAR_FRAMES = 25
"""A short burst near speech is its last consonant; a lone one is a click."""
LONGEST_SPREAD_S = 0.2
"""If a threshold 3 dB higher or lower moves the end by more, the end is doubtful and the clip is not measured."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Start and end of speech in seconds; `spread_s` is how far the end moves with the threshold."""

    start_s: float
    end_s: float
    spread_s: float

    @property
    def sure(self) -> bool:
        """Whether the end can be measured against."""
        return self.end_s > self.start_s and self.spread_s <= LONGEST_SPREAD_S


def find_ends(samples: Samples, rate_hz: int) -> Ends:
    """The ends of the speech in a clip that holds one utterance."""
    levels = _levels_db(samples, rate_hz)
    peak = float(np.percentile(levels, PEAK_PERCENTILE))
    tail = float(np.median(levels[-int(TAIL_S / FRAME_S) :]))
    floor = max(float(np.percentile(levels, FLOOR_PERCENTILE)), tail if tail < peak - 2 * ABOVE_FLOOR_DB else 0.0)
    threshold = max(floor + ABOVE_FLOOR_DB, peak - BELOW_PEAK_DB)
    start, end = _bounds(levels, threshold)
    ends = [_bounds(levels, threshold + change)[1] for change in (-CHECK_DB, CHECK_DB)]
    spread = max(abs(end - other) for other in ends)
    return Ends(round(start * FRAME_S, 3), round(end * FRAME_S, 3), round(spread * FRAME_S, 3))


def write_ends(file: Path, found: dict[str, Ends]) -> None:
    """Keep the annotation beside the results, so that anyone can check it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = {name: asdict(ends) for name, ends in sorted(found.items())}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in rows.items())
    file.write_text("{\n" + lines + "\n}\n", encoding="utf-8")


def _levels_db(samples: Samples, rate_hz: int) -> NDArray[np.float64]:
    size = int(FRAME_S * rate_hz)
    spectrum = np.fft.rfft(samples.astype(np.float64))
    frequencies_hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    # A gradual filter: a sharp one rings, and the ring of a click sounds like a voice.
    ramp = np.clip(frequencies_hz / HIGH_PASS_HZ - 0.5, 0.0, 1.0)
    filtered = np.fft.irfft(spectrum * np.sin(ramp * np.pi / 2), n=len(samples))
    frames = filtered[: len(filtered) // size * size].reshape(-1, size)
    levels: NDArray[np.float64] = 10.0 * np.log10(np.mean(frames**2, axis=1) + 1.0)
    return levels


def _bounds(levels: NDArray[np.float64], threshold: float) -> tuple[int, int]:
    loud = (levels > threshold).astype(np.int8)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud, [0]))))
    begin, until = 0, 0
    for start, end in edges.reshape(-1, 2).tolist():
        near = until > 0 and start - until <= NEAR_FRAMES
        if end - start >= (SHORTEST_BURST_FRAMES if near else LONE_BURST_FRAMES):
            begin, until = (begin if until else start), end
    return begin, until
