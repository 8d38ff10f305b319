"""Binary framing of xiaozhi devices and how long Opus packets last: exact sizes, and no bytes that hurt."""

from __future__ import annotations

import ctypes
import random
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entendre.wire.failure import ProtocolFailed
from entendre.wire.xiaozhi_frames import (
    FRAMING_VERSIONS,
    MAX_FRAME_JSON_BYTES,
    MAX_OPUS_BYTES,
    AudioFrame,
    JsonFrame,
    decode_frame,
    encode_frame,
    packet_duration_ms,
    read_framing_version,
)

OPUS = bytes((0x58,)) + bytes(range(1, 80))  # one frame of 60 ms SILK wideband


def code_of(version: int, message: bytes) -> str:
    failed = decode_frame(version, message)
    assert isinstance(failed, ProtocolFailed)
    return failed.code


@pytest.mark.parametrize(
    ("header", "version"),
    [("1", 1), ("2", 2), (" 3 ", 3), (None, 1), ("", 1), ("4", 1), ("x", 1), ("٣", 1)],
)
def test_an_unusable_protocol_version_is_the_plainest(header: str | None, version: int) -> None:
    assert read_framing_version(header) == version


def test_the_bytes_are_those_of_the_firmware() -> None:
    assert encode_frame(1, b"\x58ab") == b"\x58ab"
    assert encode_frame(2, b"\x58ab", 1000).hex() == "0002" + "0000" + "00000000" + "000003e8" + "00000003" + "586162"
    assert encode_frame(3, b"\x58ab", 1000).hex() == "00" + "00" + "0003" + "586162"


def test_a_timestamp_wraps_instead_of_failing() -> None:
    assert decode_frame(2, encode_frame(2, OPUS, 2**32 + 7)) == AudioFrame(OPUS, 7)


@given(st.sampled_from(FRAMING_VERSIONS), st.binary(min_size=1, max_size=400), st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(version: int, opus: bytes, timestamp_ms: int) -> None:
    expected = AudioFrame(opus, timestamp_ms if version == 2 else 0)
    assert decode_frame(version, encode_frame(version, opus, timestamp_ms)) == expected


@pytest.mark.parametrize("version", FRAMING_VERSIONS)
def test_an_empty_or_endless_packet_is_neither_written_nor_read(version: int) -> None:
    for bad in (b"", bytes(MAX_OPUS_BYTES + 1)):
        with pytest.raises(ValueError, match="1 to 7662 bytes"):
            encode_frame(version, bad)
    assert isinstance(decode_frame(version, encode_frame(version, bytes(MAX_OPUS_BYTES))), AudioFrame)


def test_sizes_that_do_not_match_are_refused() -> None:
    assert code_of(1, b"") == "empty_frame"
    assert code_of(1, bytes(MAX_OPUS_BYTES + 1)) == "frame_too_long"
    assert code_of(2, encode_frame(2, OPUS)[:15]) == "frame_too_short"
    assert code_of(3, b"\x00\x00\x00") == "frame_too_short"
    for version, head in ((2, struct.pack(">HHIII", 2, 0, 0, 0, 0)), (3, struct.pack(">BBH", 0, 0, 0))):
        whole = encode_frame(version, OPUS)
        assert code_of(version, whole[:-1]) == "frame_size_mismatch"
        assert code_of(version, whole + b"x") == "frame_size_mismatch"
        assert code_of(version, head) == "empty_frame"
    too_long = bytes(MAX_OPUS_BYTES + 1)
    assert code_of(2, struct.pack(">HHIII", 2, 0, 0, 0, len(too_long)) + too_long) == "frame_too_long"


def test_other_versions_and_types_are_refused() -> None:
    assert code_of(2, struct.pack(">HHIII", 3, 0, 0, 0, 1) + b"x") == "bad_frame_version"
    assert code_of(2, struct.pack(">HHIII", 2, 7, 0, 0, 1) + b"x") == "bad_frame_type"
    assert code_of(3, struct.pack(">BBH", 1, 0, 1) + b"x") == "bad_frame_type"


def test_json_may_come_in_a_frame_of_version_2() -> None:
    text = '{"type":"abort"}'
    assert decode_frame(2, struct.pack(">HHIII", 2, 1, 0, 0, len(text)) + text.encode()) == JsonFrame(text)
    assert decode_frame(2, struct.pack(">HHIII", 2, 1, 0, 0, 1) + b"\xff") == JsonFrame("�")
    endless = bytes(MAX_FRAME_JSON_BYTES + 1)
    assert code_of(2, struct.pack(">HHIII", 2, 1, 0, 0, len(endless)) + endless) == "bad_frame_type"


@given(st.sampled_from(FRAMING_VERSIONS), st.binary(max_size=64))
def test_any_bytes_give_a_frame_or_a_failure(version: int, message: bytes) -> None:
    assert isinstance(decode_frame(version, message), AudioFrame | JsonFrame | ProtocolFailed)


@pytest.mark.parametrize(
    ("packet", "duration_ms"),
    [
        (OPUS, 60.0),
        ("48" + "00" * 9, 20.0),  # SILK 20 ms: what py-xiaozhi sends
        ("50" + "00" * 9, 40.0),
        ("40" + "00" * 9, 10.0),
        ("68" + "00" * 9, 20.0),  # hybrid
        ("80" + "00" * 9, 2.5),  # CELT
        ("f8" + "00" * 9, 20.0),
        ("58", 60.0),  # one byte: nothing is transmitted
        ("5800", 60.0),
        ("58ffff", 60.0),
        ("51" + "00" * 6, 80.0),  # two frames alike
        ("49", 40.0),
        ("4a0300000000", 40.0),  # two frames of 3 and 1 bytes
        ("4a0000", 40.0),
        ("4afc00" + "00" * 252 + "11", 40.0),  # a length of two bytes
        ("4b03" + "00" * 9, 60.0),  # three of the same length
        ("4b83" + "0102" + "00" * 6, 60.0),  # three of different lengths: 1, 2 and 3 bytes
        ("4b4202" + "aabb" + "0000", 40.0),  # with two bytes of padding
        ("4b42ff00" + "aabb" + "00" * 254, 40.0),  # 254 bytes of padding
        ("fb06", 120.0),
    ],
)
def test_how_long_a_packet_lasts(packet: str | bytes, duration_ms: float) -> None:
    assert packet_duration_ms(bytes.fromhex(packet) if isinstance(packet, str) else packet) == duration_ms


@pytest.mark.parametrize(
    "packet",
    [
        "",
        "48" + "00" * 1276,  # R2: a frame has at most 1275 bytes
        "49" + "00" * 3,  # R3: two equal frames
        "49" + "00" * 2552,
        "4a",  # R4: the first length is missing,
        "4afc",  # … half there,
        "4a05000000",  # … or too long
        "4a00" + "00" * 1276,
        "4b",  # R6: no count
        "4b00",  # no frames
        "5b03" + "00" * 3,  # R5: 180 ms
        "4b03" + "00" * 8,  # not divisible
        "4b01" + "00" * 1276,
        "4b82",  # R7: a length is missing
        "4b820500",
        "4b81" + "00" * 1276,
        "4b4205" + "00" * 4,  # more padding than there is
        "4b42",
        "4b42ff",
    ],
)
def test_a_malformed_packet_has_no_length(packet: str) -> None:
    assert packet_duration_ms(bytes.fromhex(packet)) is None


@given(st.binary(max_size=200))
@example(b"\xff" * 200)
def test_any_bytes_last_between_nothing_and_120_ms(packet: bytes) -> None:
    duration_ms = packet_duration_ms(packet)
    assert duration_ms is None or 2.5 <= duration_ms <= 120


@pytest.mark.parametrize("frame_ms", [2.5, 5, 10, 20, 40, 60])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 48_000])
def test_the_length_is_that_of_real_packets_also_of_silence(frame_ms: float, rate_hz: int) -> None:
    opuslib = pytest.importorskip("opuslib_next", reason="the xiaozhi extra is not installed")
    encoder = opuslib.Encoder(rate_hz, 1, "voip")
    encoder.dtx = 1
    samples = int(rate_hz * frame_ms / 1000)
    for level in (0, 9_000):
        noise = b"".join(struct.pack("<h", (level * (7 * at % 13 - 6)) // 6) for at in range(samples))
        for _ in range(12):
            assert packet_duration_ms(encoder.encode(noise, samples)) == frame_ms


def test_what_is_malformed_is_what_libopus_calls_so() -> None:
    api = pytest.importorskip("opuslib_next.api", reason="the xiaozhi extra is not installed")
    parse, samples = api.libopus.opus_packet_parse, api.libopus.opus_packet_get_samples_per_frame
    parse.argtypes = [ctypes.c_char_p, ctypes.c_int32, *[ctypes.c_void_p] * 4]
    samples.argtypes = [ctypes.c_char_p, ctypes.c_int]
    frames, sizes, chance, valid = (ctypes.c_void_p * 48)(), (ctypes.c_int16 * 48)(), random.Random(5), 0
    for _ in range(20_000):
        packet = bytearray(chance.randbytes(chance.choice((1, 2, 3, 4, 6, 10, 30, 100, 1_277, 2_553))))
        if len(packet) > 4 and chance.random() < 0.6:
            packet[0] |= 3
            packet[1] = chance.randrange(8) | chance.randrange(4) << 6
            packet[2:5] = bytes(chance.choice((0, 1, 2, 252, 255)) for _ in range(3))
        count = parse(bytes(packet), len(packet), None, frames, sizes, None)
        expected_ms = count * samples(bytes(packet), 48_000) / 48 if count > 0 else None
        assert packet_duration_ms(bytes(packet)) == expected_ms, packet[:12].hex()
        valid += count > 0
    assert 2_000 < valid < 18_000
