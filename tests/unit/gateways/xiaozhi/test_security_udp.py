"""UDP audio against those who are not the device: strangers, replays, flipped bits, counters that must not recur."""

from __future__ import annotations

import asyncio
import os
import random
import struct
import time
from itertools import pairwise

import pytest

from entendre.core.errors import OverloadedError
from entendre.gateways.xiaozhi.udp import NEW_ADDRESS_PACKETS, UdpChannel, UdpServer, counter_cipher
from entendre.wire.xiaozhi_udp import HEADER_BYTES, UdpAudio, UdpSecrets, seal

DEVICE = ("192.0.2.7", 40_000)
BEHIND_NAT = ("192.0.2.7", 51_111)
STRANGER = ("198.51.100.9", 6_666)
TOC_60_MS = b"\x58"
"""SILK, wide band, 60 ms, mono, one frame."""


class Device:
    """Seals packets as a device does."""

    def __init__(self, secrets: UdpSecrets) -> None:
        self.secrets = secrets
        self._cipher = counter_cipher(secrets.key)

    def packet(self, sequence: int, body: bytes = bytes(40), *, toc: bytes = TOC_60_MS) -> bytes:
        return seal(self._cipher, self.secrets.key, self.secrets.cookie, 0, sequence, toc + body)

    def opened(self, datagram: bytes) -> bytes:
        return self._cipher(self.secrets.key, datagram[:HEADER_BYTES], datagram[HEADER_BYTES:])


class Line:
    """One channel with its device; `at` is the server's clock, which moves 20 ms a packet."""

    def __init__(self, server: UdpServer) -> None:
        self.heard: list[UdpAudio] = []
        self.channel: UdpChannel = server.open(self.heard.append)
        self.device = Device(self.channel.secrets)
        self.at = asyncio.get_running_loop().time()

    def say(self, datagram: bytes, address: tuple[str, int] = DEVICE) -> str:
        self.at += 0.02
        return self.channel.received(datagram, address, self.at)


@pytest.fixture
async def server() -> UdpServer:
    return UdpServer()


@pytest.fixture
async def line(server: UdpServer) -> Line:
    return Line(server)


async def test_the_address_is_learnt_from_the_first_packet_that_is_right(line: Line) -> None:
    assert not line.channel.send(TOC_60_MS + bytes(20), 60), "nothing can be sent before"
    assert line.say(b"\x01" + bytes(3) + line.channel.secrets.cookie + bytes(30), STRANGER) != "accepted"
    assert line.channel.address is None
    assert line.say(line.device.packet(1)) == "accepted"
    assert line.channel.address == DEVICE
    assert [each.opus for each in line.heard] == [TOC_60_MS + bytes(40)]


async def test_a_replayed_packet_is_dropped(line: Line) -> None:
    first, second = line.device.packet(1), line.device.packet(2)
    assert [line.say(each) for each in (first, second, first, second)] == ["accepted"] * 2 + ["old_sequence"] * 2
    assert len(line.heard) == 2


async def test_a_replay_from_elsewhere_does_not_take_the_channel(line: Line) -> None:
    packets = [line.device.packet(number) for number in range(1, 30)]
    for each in packets:
        line.say(each)
    for each in packets * 3:
        line.say(each, STRANGER)
    assert line.channel.address == DEVICE
    assert len(line.heard) == len(packets)


async def test_a_jump_beyond_all_pauses_is_dropped(line: Line) -> None:
    line.say(line.device.packet(1))
    assert line.say(line.device.packet(2**31)) == "sequence_jump"
    assert line.say(line.device.packet(2)) == "accepted", "the device itself is not locked out by it"


async def test_the_channel_follows_the_device_to_another_address_after_several_packets_that_are_right(
    line: Line,
) -> None:
    line.say(line.device.packet(1))
    moves = [line.say(line.device.packet(1 + number), BEHIND_NAT) for number in range(1, NEW_ADDRESS_PACKETS + 1)]
    assert moves == ["elsewhere"] * (NEW_ADDRESS_PACKETS - 1) + ["moved"]
    assert line.channel.address == BEHIND_NAT
    assert [each.sequence for each in line.heard] == list(range(1, NEW_ADDRESS_PACKETS + 2)), "and nothing was lost"
    assert line.say(line.device.packet(9)) == "elsewhere", "the old address is elsewhere now"


async def test_a_packet_of_the_known_address_ends_an_attempt_from_elsewhere(line: Line) -> None:
    line.say(line.device.packet(1))
    line.say(line.device.packet(2), STRANGER)
    line.say(line.device.packet(3), STRANGER)
    assert line.say(line.device.packet(2)) == "accepted"
    assert line.say(line.device.packet(4), STRANGER) == "elsewhere"
    assert line.channel.address == DEVICE


async def test_noise_under_a_seen_cookie_hardly_ever_takes_the_channel(line: Line) -> None:
    """Without the key, a stranger's packets open to noise; no integrity protects the stream, so chance has to."""
    dice = random.Random(7)
    line.say(line.device.packet(1))
    moved = 0
    for attempt in range(3_000):
        header = struct.pack(">BBH4sII", 1, 0, 41, line.channel.secrets.cookie, 0, 2 + attempt)
        line.at += 1.0
        moved += line.channel.received(header + dice.randbytes(41), STRANGER, line.at) == "moved"
    assert moved == 0
    assert line.channel.address == DEVICE
    assert len(line.heard) == 1, "and no noise reached the recogniser"


async def test_flipped_bits_never_raise_and_never_reach_another_channel(server: UdpServer) -> None:
    line, other = Line(server), Line(server)
    dice = random.Random(11)
    for number in range(1, 800):
        datagram = bytearray(line.device.packet(number))
        bit = dice.randrange(len(datagram) * 8)
        datagram[bit // 8] ^= 1 << bit % 8
        server.datagram_received(bytes(datagram), DEVICE)
    assert not other.heard
    assert other.channel.address is None


@pytest.mark.parametrize("field", [0, 1, 2, 3])
async def test_a_packet_with_a_wrong_type_or_length_is_dropped(line: Line, field: int) -> None:
    datagram = bytearray(line.device.packet(1))
    datagram[field] ^= 0x40
    assert line.say(bytes(datagram)) in {"bad_type", "bad_size"}
    assert line.channel.address is None


async def test_another_devices_key_opens_nothing(server: UdpServer) -> None:
    """A device that knows another's cookie has still not its key: what it seals is noise there."""
    victim, thief = Line(server), Line(server)
    assert victim.channel.secrets.key != thief.channel.secrets.key
    victim.say(victim.device.packet(1))
    forged = UdpSecrets(thief.channel.secrets.key, victim.channel.secrets.cookie)
    for number in range(2, 60):
        server.datagram_received(Device(forged).packet(number), STRANGER)
    assert victim.channel.address == DEVICE
    assert len(victim.heard) == 1


async def test_a_closed_channels_packets_are_nobodys(server: UdpServer) -> None:
    line = Line(server)
    line.channel.close()
    server.datagram_received(line.device.packet(1), DEVICE)
    assert not line.heard
    assert server.counts == {"unknown": 1}
    assert server.channels == 0


async def test_a_device_that_sends_too_fast_is_held_to_its_rate(line: Line) -> None:
    fates = [line.channel.received(line.device.packet(number), DEVICE, line.at) for number in range(1, 1_001)]
    assert fates.count("too_fast") > 800
    line.at += 2.0
    assert line.say(line.device.packet(1_100)) == "accepted"


async def test_downlink_counters_never_recur_and_never_meet_the_uplinks(line: Line) -> None:
    """Every counter block that a key is used with, over 2,000 packets each way of lengths that would collide."""
    line.say(line.device.packet(1))
    sent: list[bytes] = []
    line.channel._server.send = lambda datagram, address: sent.append(datagram) or True  # type: ignore[assignment]
    dice = random.Random(3)
    for number in range(2_000):
        timestamp_ms = dice.choice([60 * number, 60, 0])  # whoever counts may err: what is sent may not
        line.channel.send(TOC_60_MS + dice.randbytes(dice.choice([15, 159, 400, 1_000])), timestamp_ms)
    blocks = [_blocks(each) for each in sent]
    used = set().union(*blocks)
    assert len(sent) == 2_000
    assert len(used) == sum(map(len, blocks)), "a counter block was used twice"
    uplink = [_blocks(line.device.packet(number, bytes(400))) for number in range(1, 2_001)]
    assert not used & set().union(*uplink)


def _blocks(datagram: bytes) -> set[int]:
    first = int.from_bytes(datagram[:HEADER_BYTES])
    return {first + number for number in range(-(-(len(datagram) - HEADER_BYTES) // 16))}


async def test_downlink_sequence_starts_at_one_and_its_timestamp_always_advances(line: Line) -> None:
    line.say(line.device.packet(1))
    sent: list[bytes] = []
    line.channel._server.send = lambda datagram, address: sent.append(datagram) or True  # type: ignore[assignment]
    for number in range(1, 51):
        line.channel.send(TOC_60_MS + bytes(30), number * 60)
    heads = [struct.unpack_from(">BBH4sII", each) for each in sent]
    assert [head[5] for head in heads] == list(range(1, 51))
    assert [head[4] for head in heads] == [60 * number for number in range(1, 51)]
    assert all(later[4] > earlier[4] for earlier, later in pairwise(heads))
    assert {head[3] for head in heads} != {line.channel.secrets.cookie}
    assert line.device.opened(sent[0]) == TOC_60_MS + bytes(30)


async def test_keys_and_cookies_are_of_one_session(server: UdpServer) -> None:
    lines = [Line(server) for _ in range(500)]
    assert len({each.channel.secrets.key for each in lines}) == 500
    assert len({each.channel.secrets.cookie for each in lines}) == 500
    for each in lines:
        nonce = each.channel.secrets.nonce
        assert nonce == b"\x01" + bytes(3) + each.channel.secrets.cookie + bytes(8)


async def test_channels_are_bounded() -> None:
    server = UdpServer(channels=2)
    lines = [Line(server) for _ in range(2)]
    with pytest.raises(OverloadedError):
        Line(server)
    lines[0].channel.close()
    Line(server)


async def test_ten_thousand_junk_datagrams_cost_little(server: UdpServer) -> None:
    line = Line(server)
    junk = [os.urandom(size) for size in (1, 15, 16, 17, 100, 1_400)] + [b"\x01" + os.urandom(200) for _ in range(20)]
    began = time.process_time()
    for number in range(10_000):
        server.datagram_received(junk[number % len(junk)], STRANGER)
    spent_s = time.process_time() - began
    assert spent_s < 0.2, f"{spent_s:.3f} s for 10,000 datagrams of strangers"
    assert line.say(line.device.packet(1)) == "accepted"


async def test_a_cipher_serves_its_own_key_alone() -> None:
    cipher = counter_cipher(bytes(16))
    with pytest.raises(ValueError, match="another key"):
        cipher(bytes(15) + b"\x01", bytes(16), b"x")
