"""Audio over UDP, as devices send it that don't have audio in their API connection yet (ESPHome before 2024)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

LONGEST_DATAGRAM_BYTES = 4_096


class UdpAudio(asyncio.DatagramProtocol):
    """One device's audio, both ways. Datagrams from other addresses than the device's are ignored."""

    def __init__(self, device_address: str, heard: Callable[[bytes], None]) -> None:
        self._device_address = device_address
        self._heard = heard
        self._transport: asyncio.DatagramTransport | None = None
        self._device: Any = None

    @classmethod
    async def open(cls, device_address: str, heard: Callable[[bytes], None]) -> UdpAudio:
        """Listen on a port of its own. Raises: OSError."""
        host = "::" if ":" in device_address else "0.0.0.0"
        make = asyncio.get_running_loop().create_datagram_endpoint
        _, audio = await make(lambda: cls(device_address, heard), local_addr=(host, 0))
        return audio

    @property
    def port(self) -> int:
        """Where the device sends to."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """The socket is open."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """A piece from somewhere."""
        if addr[0] == self._device_address and len(data) <= LONGEST_DATAGRAM_BYTES:
            self._device = addr
            self._heard(data)

    def send(self, pcm16: bytes) -> None:
        """A piece for the device, to where it last sent from."""
        if self._transport is not None and self._device is not None:
            self._transport.sendto(pcm16, self._device)

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()
