"""Opus: what goes in comes out, silence and loss last as long as they should, and no bytes of a peer raise."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest

pytest.importorskip("opuslib_next")

from entendre.core.errors import MissingExtraError
from entendre.core.resample import PcmResampler
from entendre.gateways.xiaozhi import opus
from entendre.gateways.xiaozhi.opus import SAID_FRAME_BYTES, SAID_RATE_HZ, OpusDecoder, OpusEncoder
from entendre.wire.xiaozhi_frames import packet_duration_ms


def tone(seconds: float, rate_hz: int = SAID_RATE_HZ, pitch_hz: float = 440.0) -> bytes:
    at = np.arange(int(seconds * rate_hz)) / rate_hz
    return (8000 * np.sin(2 * np.pi * pitch_hz * at)).astype("<i2").tobytes()


def packets_of(pcm: bytes) -> list[bytes]:
    encoder = OpusEncoder()
    return [
        encoder.encode(pcm[at : at + SAID_FRAME_BYTES])
        for at in range(0, len(pcm) - SAID_FRAME_BYTES + 1, SAID_FRAME_BYTES)
    ]


def test_a_packet_lasts_sixty_milliseconds_and_stays_small() -> None:
    packets = packets_of(tone(1.2))
    assert {packet_duration_ms(packet) for packet in packets} == {60.0}
    assert max(len(packet) for packet in packets) < 400


def test_what_is_encoded_is_heard() -> None:
    decoder = OpusDecoder()
    heard = b"".join(decoder.decode(packet) or b"" for packet in packets_of(tone(1.2)))
    assert len(heard) == 20 * 1920
    spectrum = np.abs(np.fft.rfft(np.frombuffer(heard, "<i2")[1600:17600].astype(float)))
    assert abs(int(spectrum.argmax()) - 440) <= 1
    sent = np.frombuffer(PcmResampler(SAID_RATE_HZ, 16_000).push(tone(1.2)), "<i2")
    ratio = np.abs(np.frombuffer(heard, "<i2")[1600:17600]).mean() / np.abs(sent[1600:17600]).mean()
    assert 0.9 < ratio < 1.1


def test_a_frame_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="frame"):
        OpusEncoder().encode(bytes(SAID_FRAME_BYTES - 2))


@pytest.mark.parametrize(("packet", "ms"), [(b"\x58", 60), (b"\x48", 20), (b"\x50\x00", 40), (b"\x58\x00\x00", 60)])
def test_silence_of_one_to_three_bytes_lasts_as_long_as_it_says(packet: bytes, ms: int) -> None:
    decoded = OpusDecoder().decode(packet)
    assert decoded is not None
    assert len(decoded) == ms * 32


def test_a_lost_packet_is_concealed_and_fades() -> None:
    decoder = OpusDecoder()
    for packet in packets_of(tone(0.6)):
        decoder.decode(packet)
    first = np.frombuffer(decoder.conceal(60), "<i2")
    assert len(first) == 960
    assert np.abs(first).mean() > 500
    for _ in range(20):
        last = np.frombuffer(decoder.conceal(60), "<i2")
    assert np.abs(last).mean() < np.abs(first).mean() / 4


@pytest.mark.parametrize(("ms", "samples"), [(0, 0), (-60, 0), (7, 80), (20, 320), (1000, 1920)])
def test_concealment_is_whole_steps_and_bounded(ms: float, samples: int) -> None:
    assert len(OpusDecoder().conceal(ms)) == samples * 2


def test_no_bytes_raise() -> None:
    decoder, source = OpusDecoder(), random.Random(20_261_123)
    kept = 0
    for _ in range(3000):
        decoded = decoder.decode(source.randbytes(source.randint(0, 60)))
        kept += decoded is not None
        assert decoded is None or 0 < len(decoded) <= 3840
    assert 0 < kept < 3000
    assert decoder.decode(bytes(10_000)) is None


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opuslib_next.api", None)
    opus._library.cache_clear()
    with pytest.raises(MissingExtraError) as missing:
        opus.require_opus()
    assert "pip install 'entendre[xiaozhi]'" in missing.value.public_message
    opus._library.cache_clear()
