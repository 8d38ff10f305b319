"""A reply or an announcement on its way to a device: fetched by its URL, or pushed as audio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from entendre.core.audio import AudioFormat
from entendre.core.resample import PcmResampler
from entendre.gateways.esphome.house import PostedReply

PUSHED_HZ = 16_000
"""What devices with a bare speaker play: mono PCM16 at this rate. Source: ESPHome voice_assistant."""
PUSHED_BYTES = 1_024
"""The largest piece that such a device reads at once; of a longer datagram it loses the rest."""


class Fetched:
    """The device fetches it, and usually says when it was played."""

    def __init__(self, reply: str, rate_hz: int, posted: PostedReply) -> None:
        self.reply = reply
        self.posted = posted
        self.done = asyncio.Event()
        """The device reported that it finished, or stopped."""
        self.ended = False
        self.waiter: asyncio.Task[None] | None = None
        """Waits for the device's report of an announcement."""
        self.told_by_player = False
        """Only its media player's state tells when it is done."""
        self.posted_at = time.monotonic()
        self.was_sounded = False
        """Its media player was seen to sound since."""
        self._sounds = False
        self._sound = AudioFormat(rate_hz)
        self._sent_bytes = 0

    @property
    def sent_s(self) -> float:
        """Seconds of audio so far."""
        return self._sound.seconds(self._sent_bytes)

    def push(self, pcm16: bytes) -> None:
        """The next piece."""
        self._sent_bytes += len(pcm16)
        self.posted.push(pcm16)

    def end(self, *, interrupted: bool) -> None:
        """That was all, or nobody wants the rest."""
        self.ended = True
        if interrupted:
            self.posted.cut()
            self.give_up()
        else:
            self.posted.end()

    def give_up(self) -> None:
        """Wait for no report any more."""
        if self.waiter is not None:
            self.waiter.cancel()

    def player_changed(self, *, sounds: bool) -> None:
        """The media player began or ended to sound."""
        if self.told_by_player and self._sounds and not sounds:
            self.done.set()
        self._sounds = sounds
        self.was_sounded = self.was_sounded or sounds


class Pushed:
    """The session paces it, and it is sent on at once in pieces that the device can take."""

    def __init__(self, reply: str, rate_hz: int, send: Callable[[bytes], None]) -> None:
        self.reply = reply
        self._resampler = PcmResampler(rate_hz, PUSHED_HZ)
        self._send = send

    def push(self, pcm16: bytes) -> None:
        """The next piece."""
        self._pieces(self._resampler.push(pcm16))

    def end(self, *, interrupted: bool) -> None:
        """That was all, or nobody wants the rest."""
        if not interrupted:
            self._pieces(self._resampler.flush())

    def _pieces(self, pcm16: bytes) -> None:
        for start in range(0, len(pcm16), PUSHED_BYTES):
            self._send(pcm16[start : start + PUSHED_BYTES])


class Unsaid:
    """A ring that the device sounds by itself, or an announcement that it can't play."""

    def __init__(self, reply: str) -> None:
        self.reply = reply

    def push(self, pcm16: bytes) -> None:
        """Nothing is sent."""

    def end(self, *, interrupted: bool) -> None:
        """Nothing was sent."""


Outgoing = Fetched | Pushed | Unsaid
