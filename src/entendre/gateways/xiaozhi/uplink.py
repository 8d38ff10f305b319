"""A microphone's packets: decoded, concealed where lost, counted where malformed, and held to what a voice can say."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from entendre.gateways.xiaozhi.opus import OpusDecoder
from entendre.wire.xiaozhi_frames import packet_duration_ms

WAKE_PACKETS = 128
"""Two seconds in the shortest usual packets; what comes before is forgotten."""
CONCEALED_AT_ONCE = 5
"""Lost packets in a row that are made up; a longer gap is a gap."""
MALFORMED_IN_A_ROW = 50
"""A device that sends this many unreadable packets sends no Opus at all."""
BURST_S = 15.0
"""Audio that may come at once after a pause, such as what a device recorded while it connected."""
FASTEST = 1.5
"""Seconds of audio taken in a second for long: microphones run at 1."""


class Uplink:
    """One channel's microphone."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Raises: MissingExtraError."""
        self._clock = clock
        self._decoder = OpusDecoder()
        self._allowed_s = BURST_S
        self._counted_at_s = clock()
        self._malformed_in_a_row = 0
        self.wake_packets: deque[bytes] = deque(maxlen=WAKE_PACKETS)
        """What was said before the microphone was opened for a request: the wake word."""
        self.malformed = 0
        self.refused_s = 0.0

    @property
    def broken(self) -> bool:
        """Whether this is no Opus stream."""
        return self._malformed_in_a_row >= MALFORMED_IN_A_ROW

    def keep(self, packet: bytes) -> None:
        """A packet from before the microphone was opened: kept as it is, never recognised."""
        self.wake_packets.append(packet)

    def hear(self, packet: bytes, lost: int = 0) -> bytes:
        """House audio of one packet and of `lost` ones before it; empty if it is malformed or beyond the quota."""
        length_ms = packet_duration_ms(packet)
        if length_ms is None:
            return self._unreadable()
        if not self._afford(length_ms / 1000):
            self.refused_s += length_ms / 1000
            return b""
        concealed = b"".join(self._decoder.conceal(length_ms) for _ in range(min(lost, CONCEALED_AT_ONCE)))
        decoded = self._decoder.decode(packet)
        if decoded is None:
            return self._unreadable()
        self._malformed_in_a_row = 0
        return concealed + decoded

    def _unreadable(self) -> bytes:
        self.malformed += 1
        self._malformed_in_a_row += 1
        return b""

    def _afford(self, seconds: float) -> bool:
        now = self._clock()
        self._allowed_s = min(BURST_S, self._allowed_s + (now - self._counted_at_s) * FASTEST)
        self._counted_at_s = now
        if self._allowed_s < seconds:
            return False
        self._allowed_s -= seconds
        return True
