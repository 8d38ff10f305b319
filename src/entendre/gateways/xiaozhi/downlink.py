"""A reply on its way to a device: whole Opus frames, paced by our own count of what it has still to play."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from entendre.core.audio import samples_of
from entendre.core.resample import PcmResampler
from entendre.gateways.xiaozhi.opus import SAID_FRAME_BYTES, SAID_FRAME_MS, SAID_RATE_HZ, OpusEncoder
from entendre.gateways.xiaozhi.settings import FRAME_S

FLUSH_AHEAD_S = 0.1
"""A frame that waits for more sound is filled up with silence when the device has only this much to play."""
LATE_S = 0.01
"""A frame that ends quietly, as sentences do, is filled up already when it is this late."""
PATIENCE_S = 0.04
"""But not before more sound has had this long to come: a reply begins without any lead."""
QUIET = 300
_QUIET_BYTES = SAID_FRAME_BYTES // 6


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One Opus packet. `timestamp_ms` counts what was said in this channel, and never repeats."""

    opus: bytes
    timestamp_ms: int


class Downlink:
    """The speech of one channel. Devices queue 40 packets and drop what comes beyond, so the lead stays small."""

    def __init__(self, clock: Callable[[], float], *, lead_s: float) -> None:
        """Raises: MissingExtraError."""
        self._clock = clock
        self._lead_s = lead_s
        self._encoder = OpusEncoder()
        self._resampler: PcmResampler | None = None
        self._rate_hz = SAID_RATE_HZ
        self._held = bytearray()
        self._timestamp_ms = 0
        self._not_before_s = 0.0
        self._started_s: float | None = None
        self._sent_s = 0.0
        self.on_frame: Callable[[bytes, int], None] | None = None
        """Told the sound of every frame with its timestamp, as reference for echo cancellation."""

    def open(self, not_before_s: float) -> None:
        """The device was told to speak; audio before this moment of the clock would be lost."""
        self._not_before_s = not_before_s
        self._started_s, self._sent_s = None, 0.0

    def begin(self, rate_hz: int) -> None:
        """A reply of this rate begins, behind what was said before it."""
        self._rate_hz = rate_hz
        self._resampler = PcmResampler(rate_hz, SAID_RATE_HZ)

    def push(self, pcm16: bytes) -> list[AudioPacket]:
        """The packets that these samples complete."""
        if self._resampler is None:
            return []
        self._held += self._resampler.push(pcm16)
        whole = len(self._held) // SAID_FRAME_BYTES * SAID_FRAME_BYTES
        packets = [
            self._packet(bytes(self._held[at : at + SAID_FRAME_BYTES])) for at in range(0, whole, SAID_FRAME_BYTES)
        ]
        del self._held[:whole]
        return packets

    def flush(self) -> list[AudioPacket]:
        """What is held back, the rest of its last packet silence."""
        packets: list[AudioPacket] = []
        if self._resampler is not None:
            packets = self.push(self._resampler.flush())
            self._resampler = PcmResampler(self._rate_hz, SAID_RATE_HZ)
        if self._held:
            frame = bytes(self._held).ljust(SAID_FRAME_BYTES, b"\0")
            self._held.clear()
            packets.append(self._packet(frame))
        return packets

    def end(self) -> list[AudioPacket]:
        """A reply is complete: everything of it."""
        packets = self.flush()
        self._resampler = None
        return packets

    def stop(self) -> None:
        """A reply was broken off: forget the rest of it."""
        self._resampler = None
        self._held.clear()
        self._started_s, self._sent_s = None, 0.0

    def wait_s(self) -> float:
        """How long the next audio has to wait for the device to be ready, and to have room."""
        now = self._clock()
        return max(0.0, self._not_before_s - now, self._ahead_s(now) - self._lead_s)

    def left_s(self) -> float:
        """How much of what was sent the device has still to play."""
        return max(0.0, self._ahead_s(self._clock()))

    def playing_ms(self) -> int:
        """Timestamp at which the device is by our count, 0 if it plays nothing."""
        left_s = self.left_s()
        return max(1, round(self._timestamp_ms - left_s * 1000)) if left_s else 0

    def flush_in_s(self) -> float | None:
        """In how long `flush` is due, so that the end of a sentence does not come late; None if nothing is held."""
        if not self._held:
            return None
        quiet = int(np.abs(samples_of(self._held[-_QUIET_BYTES:])).max(initial=0)) < QUIET
        left_s = self.left_s()
        least_s = PATIENCE_S if left_s < FLUSH_AHEAD_S else 0.0
        return max(least_s, left_s - (self._lead_s - LATE_S if quiet else FLUSH_AHEAD_S))

    def _ahead_s(self, now: float) -> float:
        if self._started_s is None:
            return 0.0
        ahead_s = self._sent_s - (now - self._started_s)
        if ahead_s < 0:  # it ran dry and starts anew with the next packet
            self._started_s, self._sent_s = None, 0.0
        return max(0.0, ahead_s)

    def _packet(self, frame: bytes) -> AudioPacket:
        now = self._clock()
        self._ahead_s(now)
        if self._started_s is None:
            self._started_s = now
        self._sent_s += FRAME_S
        self._timestamp_ms += SAID_FRAME_MS
        if self.on_frame is not None:
            self.on_frame(frame, self._timestamp_ms)
        return AudioPacket(self._encoder.encode(frame), self._timestamp_ms)
