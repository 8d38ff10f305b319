"""Sound of another width is the same sound."""

from __future__ import annotations

import numpy as np
import pytest

from entendre.core.errors import InvalidInputError
from entendre.gateways.mono import to_mono_pcm16


def test_widths_and_channels_become_mono_16_bit() -> None:
    mono = np.array([0, 1000, -1000, 32767, -32768], dtype="<i2")
    wide = np.asarray(mono, dtype="<i4") << 16
    packed = wide.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    assert to_mono_pcm16(mono.tobytes(), width_bytes=2, channels=1) == mono.tobytes()
    assert to_mono_pcm16(wide.tobytes(), width_bytes=4, channels=1) == mono.tobytes()
    assert to_mono_pcm16(packed, width_bytes=3, channels=1) == mono.tobytes()
    assert (
        to_mono_pcm16(bytes([128, 255, 0]), width_bytes=1, channels=1) == np.array([0, 32512, -32768], "<i2").tobytes()
    )
    stereo = np.array([[100, 300], [-100, -300]], dtype="<i2")
    assert to_mono_pcm16(stereo.tobytes(), width_bytes=2, channels=2) == np.array([200, -200], "<i2").tobytes()


def test_half_a_frame_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        to_mono_pcm16(b"123", width_bytes=2, channels=1)
