"""The audio socket with real datagrams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from entendre.core.errors import ConfigurationError
from entendre.gateways.xiaozhi.udp import UdpServer, counter_cipher
from entendre.wire.xiaozhi_udp import HEADER_BYTES, UdpAudio, seal

OPUS = b"\x58" + bytes(range(60))


class Peer(asyncio.DatagramProtocol):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got.put_nowait(data)


@pytest.fixture
async def server() -> AsyncIterator[UdpServer]:
    server = UdpServer()
    yield server
    server.close()


async def _peer(port: int) -> tuple[asyncio.DatagramTransport, Peer]:
    return await asyncio.get_running_loop().create_datagram_endpoint(Peer, remote_addr=("127.0.0.1", port))


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not condition():  # noqa: ASYNC110 (nothing tells of a datagram but the count of it)
            await asyncio.sleep(0.005)


async def test_audio_goes_both_ways_between_two_devices_and_one_socket(server: UdpServer) -> None:
    port = await server.listen("127.0.0.1", 0)
    for _ in range(2):
        heard: asyncio.Queue[UdpAudio] = asyncio.Queue()
        channel = server.open(heard.put_nowait)
        transport, peer = await _peer(port)
        cipher = counter_cipher(channel.secrets.key)
        transport.sendto(seal(cipher, channel.secrets.key, channel.secrets.cookie, 0, 1, OPUS))
        async with asyncio.timeout(2):
            assert (await heard.get()).opus == OPUS
            assert channel.send(OPUS, 60)
            reply = await peer.got.get()
        assert cipher(channel.secrets.key, reply[:HEADER_BYTES], reply[HEADER_BYTES:]) == OPUS
        transport.close()


async def test_strangers_are_not_answered(server: UdpServer) -> None:
    port = await server.listen("127.0.0.1", 0)
    transport, peer = await _peer(port)
    for _ in range(20):
        transport.sendto(b"\x01" + bytes(40))
    await _until(lambda: server.counts["unknown"] == 20)
    assert peer.got.empty()
    transport.close()


async def test_a_device_that_is_switched_off_does_not_end_the_socket(server: UdpServer) -> None:
    port = await server.listen("127.0.0.1", 0)
    channel = server.open(lambda audio: None)
    transport, _ = await _peer(port)
    cipher = counter_cipher(channel.secrets.key)
    transport.sendto(seal(cipher, channel.secrets.key, channel.secrets.cookie, 0, 1, OPUS))
    await _until(lambda: channel.address is not None)
    transport.close()
    await asyncio.sleep(0.05)
    for _ in range(5):
        channel.send(OPUS, 60)
        await asyncio.sleep(0.01)
    transport, _ = await _peer(port)
    transport.sendto(b"\x01" + bytes(40))
    await _until(lambda: server.counts["unknown"] == 1)
    transport.close()


async def test_a_taken_port_is_said(server: UdpServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ConfigurationError, match="UDP can't listen"):
            await server.listen("127.0.0.1", taken.getsockname()[1])
