"""What an operator can set of the xiaozhi gateway, and what bounds each device."""

from __future__ import annotations

from dataclasses import dataclass

FRAME_S = 0.06
"""Length of the packets that we send."""
OUTBOX_LIMIT = 256
"""Messages and packets that wait to be sent; a device that leaves more unread is dropped."""
ALIVE_EVERY_S = 60.0
"""A device takes a channel on which nothing came for 120 s as dead."""


@dataclass(frozen=True, slots=True)
class XiaozhiSettings:
    """How devices are talked to. All in seconds unless named otherwise.

    `idle_s`: silence after which a channel is closed, so that the device sleeps. `hold_for_rings_s`: a channel stays
    open beyond that while something is to ring on its device this soon, because a sleeping device can't be rung.
    `misses`: requests in a row that were not understood after which a device is left alone: it may be a television.
    `first_audio_s`: between "start to speak" and the first audio; the device drops what comes sooner. `lead_packets`:
    how far ahead of playing audio is sent; what was sent is heard even after an interruption. `wake_words`: texts that
    devices send when they are woken, any other is typed input. `unbound_per_address`: channels of devices that nobody
    bound yet; those of bound ones may all come through one proxy.
    """

    language: str = "en"
    wake_words: tuple[str, ...] = ()
    hello_s: float = 10.0
    idle_s: float = 20.0
    hold_for_rings_s: float = 3600.0
    misses: int = 3
    first_audio_s: float = 0.1
    lead_packets: int = 3
    send_s: float = 5.0
    ping_s: float = 20.0
    messages_per_s: float = 10.0
    messages_burst: int = 60
    packets_per_s: float = 120.0
    packets_burst: int = 1000
    max_connections: int = 10_000
    unbound_per_address: int = 8
    bind_prompts: int = 3

    @property
    def reply_lead_s(self) -> float:
        """How far ahead of playing a session may give us audio: two frames more than we send, to cut frames from."""
        return (self.lead_packets + 2) * FRAME_S
