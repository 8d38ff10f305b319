"""The volume of a device that has no volume control of its own: a gain on what it is sent."""

from __future__ import annotations

import numpy as np

from entendre.core.actions import Action, AdjustVolume, SetMuted, SetVolume, StopRinging, StopSpeaking
from entendre.core.audio import samples_of

FULL_PERCENT = 100


class Loudness:
    """Percent and mute, kept for as long as the server runs."""

    def __init__(self, percent: int = FULL_PERCENT) -> None:
        self.percent = _clamped(percent)
        self.muted = False

    def perform(self, action: Action) -> bool:
        """Do a device's own action if it is one of loudness, or needs nothing of the device."""
        match action:
            case SetVolume(percent):
                self.percent = _clamped(percent)
                self.muted = False
            case AdjustVolume(delta):
                self.percent = _clamped(self.percent + delta)
                self.muted = False
            case SetMuted(muted):
                self.muted = muted
            case StopSpeaking() | StopRinging():
                pass
            case _:
                return False
        return True

    def apply(self, pcm16: bytes) -> bytes:
        """The same samples as loud as they should be. Half the percentage sounds about half as loud."""
        if self.muted:
            return bytes(len(pcm16))
        if self.percent == FULL_PERCENT:
            return pcm16
        gain = (self.percent / FULL_PERCENT) ** 2
        return (samples_of(pcm16) * np.float32(gain)).astype("<i2").tobytes()


def _clamped(percent: int) -> int:
    return max(0, min(FULL_PERCENT, percent))
