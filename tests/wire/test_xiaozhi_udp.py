"""Encrypted audio over UDP: the published vector, what is accepted uplink, and downlink counters that never recur."""

from __future__ import annotations

from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from entendre.wire.xiaozhi_frames import MAX_OPUS_BYTES
from entendre.wire.xiaozhi_udp import (
    ENTROPY_BYTES,
    MAX_DATAGRAM_BYTES,
    MAX_SEQUENCE,
    MAX_SEQUENCE_JUMP,
    MAX_TIMESTAMP_MS,
    UdpAudio,
    UdpDownlink,
    UdpRefused,
    UdpSecrets,
    UdpUplink,
    cookie_of,
    seal,
)

KEY = bytes(range(16))
COOKIE = bytes.fromhex("c0ffee01")
SECRETS = UdpSecrets(KEY, COOKIE)
OPUS = bytes((0x58,)) + b"some sound"


def aes_ctr(key: bytes, block: bytes, data: bytes) -> bytes:
    worker = Cipher(algorithms.AES(key), modes.CTR(block)).encryptor()
    return worker.update(data) + worker.finalize()


def uplink_datagram(sequence: int, opus: bytes = OPUS, cookie: bytes = COOKIE, timestamp_ms: int = 0) -> bytes:
    return seal(aes_ctr, KEY, cookie, timestamp_ms, sequence, opus)


def test_the_published_vector_holds() -> None:
    sealed = seal(aes_ctr, KEY, COOKIE, 0, 1, b"Hello!!!")
    assert sealed.hex() == "01000008c0ffee010000000000000001" + "c26050450898287a"


def test_secrets_come_from_entropy_and_the_nonce_is_a_header() -> None:
    secrets = UdpSecrets.of(KEY + COOKIE)
    assert secrets == SECRETS
    assert secrets.nonce.hex() == "01000000c0ffee010000000000000000"
    assert secrets.downlink_ssrc != secrets.cookie
    with pytest.raises(ValueError, match=f"{ENTROPY_BYTES} bytes"):
        UdpSecrets.of(b"short")


def test_what_a_device_seals_is_opened() -> None:
    uplink = UdpUplink(SECRETS, aes_ctr)
    assert uplink.receive(uplink_datagram(1, timestamp_ms=90)) == UdpAudio(OPUS, 90, 1)
    assert uplink.receive(uplink_datagram(4)) == UdpAudio(OPUS, 0, 4)
    assert uplink.last_sequence == 4


def refused(uplink: UdpUplink, datagram: bytes) -> str:
    before = uplink.last_sequence
    answer = uplink.receive(datagram)
    assert isinstance(answer, UdpRefused)
    assert uplink.last_sequence == before, "a refused datagram moves nothing"
    return answer.code


def test_a_sequence_is_accepted_once_and_in_order() -> None:
    uplink = UdpUplink(SECRETS, aes_ctr)
    assert refused(uplink, uplink_datagram(0)) == "old_sequence"
    uplink.receive(uplink_datagram(7))
    for old in (1, 6, 7):
        assert refused(uplink, uplink_datagram(old)) == "old_sequence"
    assert refused(uplink, uplink_datagram(8 + MAX_SEQUENCE_JUMP)) == "sequence_jump"
    assert isinstance(uplink.receive(uplink_datagram(7 + MAX_SEQUENCE_JUMP)), UdpAudio)


def test_datagrams_from_elsewhere_are_refused() -> None:
    uplink = UdpUplink(SECRETS, aes_ctr)
    good = uplink_datagram(1)
    assert refused(uplink, b"") == "bad_size"
    assert refused(uplink, good[:16]) == "bad_size"
    assert refused(uplink, good[:-1]) == "bad_size"
    assert refused(uplink, good + b"x") == "bad_size"
    assert refused(uplink, bytes(MAX_DATAGRAM_BYTES + 1)) == "bad_size"
    assert refused(uplink, b"\x02" + good[1:]) == "bad_type"
    assert refused(uplink, good[:1] + b"\x01" + good[2:]) == "bad_type"
    assert refused(uplink, uplink_datagram(1, cookie=b"\0\0\0\0")) == "bad_cookie"
    assert refused(uplink, uplink_datagram(1, opus=b"\x4b\x00")) == "bad_opus"
    assert isinstance(uplink.receive(good), UdpAudio)


def test_a_wrong_key_is_usually_noticed_and_never_raises() -> None:
    other = UdpUplink(UdpSecrets(bytes(16), COOKIE), aes_ctr)
    assert isinstance(other.receive(uplink_datagram(1)), UdpAudio | UdpRefused)


def test_the_cookie_says_which_channel() -> None:
    assert cookie_of(uplink_datagram(1)) == COOKIE
    assert cookie_of(b"\x02" + uplink_datagram(1)[1:]) is None
    assert cookie_of(bytes(16)) is None
    assert cookie_of(b"\x01" * (MAX_DATAGRAM_BYTES + 1)) is None


@given(st.binary(max_size=120))
def test_any_datagram_is_accepted_or_refused(datagram: bytes) -> None:
    uplink = UdpUplink(SECRETS, aes_ctr)
    assert isinstance(uplink.receive(datagram), UdpAudio | UdpRefused)
    assert cookie_of(datagram) is None or len(datagram) > 16


def test_a_packet_that_is_empty_or_too_long_is_not_sealed() -> None:
    downlink = UdpDownlink(SECRETS, aes_ctr)
    for bad in (b"", bytes(MAX_OPUS_BYTES + 1)):
        with pytest.raises(ValueError, match="1 to 7662"):
            downlink.seal(bad)
    assert downlink.sequence == 0


def counter_blocks(datagram: bytes) -> range:
    """Every counter block that a packet's cipher uses."""
    first = int.from_bytes(datagram[:16], "big")
    return range(first, first + -(-(len(datagram) - 16) // 16))


@given(
    st.lists(st.tuples(st.integers(1, 200), st.sampled_from([20, 60, 0, 2])), min_size=2, max_size=40),
    st.lists(st.integers(1, 200), max_size=20),
)
def test_no_counter_block_is_used_twice(down: list[tuple[int, int]], up: list[int]) -> None:
    downlink = UdpDownlink(SECRETS, aes_ctr)
    sealed = [downlink.seal(bytes(size), duration_ms) for size, duration_ms in down]
    sent = [counter_blocks(each) for each in sealed if each is not None]
    assert len(sent) == len(down)
    blocks = [block for each in sent for block in each]
    assert len(set(blocks)) == len(blocks)
    uplink = {b for at, size in enumerate(up) for b in counter_blocks(uplink_datagram(at + 1, bytes(size)))}
    assert not uplink & set(blocks)
    stamps = [int.from_bytes(each[8:12], "big") for each in sealed if each]
    assert all(before < after for before, after in pairwise([0, *stamps]))


def test_a_device_accepts_what_we_send() -> None:
    downlink = UdpDownlink(SECRETS, aes_ctr)
    first, second = downlink.seal(OPUS, 60), downlink.seal(OPUS, 60)
    assert first is not None
    assert second is not None
    assert (first[0], first[12:16], second[12:16]) == (1, bytes((0, 0, 0, 1)), bytes((0, 0, 0, 2)))
    assert int.from_bytes(first[2:4], "big") == len(first) - 16
    assert aes_ctr(KEY, first[:16], first[16:]) == OPUS
    assert (downlink.sequence, downlink.timestamp_ms) == (2, 120)


def test_a_used_up_channel_sends_no_more() -> None:
    downlink = UdpDownlink(SECRETS, aes_ctr)
    downlink.sequence = MAX_SEQUENCE
    assert downlink.seal(OPUS) is None
    late = UdpDownlink(SECRETS, aes_ctr)
    late.timestamp_ms = MAX_TIMESTAMP_MS - 59
    assert late.seal(OPUS, 60) is None
    assert late.seal(OPUS, 59) is not None
