"""G.711: known values of the recommendation, and what any correct codec must satisfy."""

import numpy as np
import pytest

from entendre.core.audio import Encoding
from entendre.wire import g711

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)
EVERY_BYTE = bytes(range(256))


def test_known_codes_of_the_recommendation() -> None:
    samples = np.array([0, 1000, -1000, 32767, -32768], np.int16)
    assert g711.encode_ulaw(samples) == bytes([0xFF, 0xCE, 0x4E, 0x80, 0x00])
    assert g711.encode_alaw(samples) == bytes([0xD5, 0xFA, 0x7A, 0xAA, 0x2A])


def test_known_samples_of_the_recommendation() -> None:
    assert g711.decode_ulaw(bytes([0x00, 0x80, 0xFF])).tolist() == [-32124, 32124, 0]
    assert g711.decode_alaw(bytes([0x2A, 0xAA, 0xD5, 0x55])).tolist() == [-32256, 32256, 8, -8]


def test_every_code_survives_a_round_trip() -> None:
    again = g711.encode_alaw(g711.decode_alaw(EVERY_BYTE))
    assert again == EVERY_BYTE
    again = g711.encode_ulaw(g711.decode_ulaw(EVERY_BYTE))
    assert [code for code in range(256) if again[code] != code] == [0x7F], "only negative zero has two codes"


@pytest.mark.parametrize("encoding", [Encoding.ULAW, Encoding.ALAW])
def test_every_sample_comes_back_within_its_step(encoding: Encoding) -> None:
    back = g711.decode(g711.encode(EVERY_SAMPLE, encoding), encoding).astype(int)
    error = np.abs(back - EVERY_SAMPLE.astype(int))
    assert (error <= np.maximum(16, np.abs(EVERY_SAMPLE.astype(int)) // 16)).all()
    assert (np.diff(back) >= 0).all(), "louder in is never quieter out"


def test_pcm16_passes_and_an_odd_byte_is_dropped() -> None:
    assert g711.decode(b"\x01\x02\x03", Encoding.PCM16).tolist() == [0x0201]
    assert g711.encode(np.array([0x0201], np.int16), Encoding.PCM16) == b"\x01\x02"


def test_nothing_is_nothing() -> None:
    for encoding in Encoding:
        assert g711.decode(b"", encoding).shape == (0,)
        assert g711.encode(np.zeros(0, np.int16), encoding) == b""
