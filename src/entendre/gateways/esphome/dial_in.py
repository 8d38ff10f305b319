"""Devices that dial us (ESPHome's `outgoing_connection`), because we can't reach them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from aioesphomeapi.outgoing_connection import OutgoingConnectionServer
from aioesphomeapi.reconnect_logic import ReconnectLogic

from entendre.gateways.redial import ConnectionEndedError


class Caller:
    """Takes the calls of one device. The library asks no more of what it registers than this one method."""

    def __init__(self) -> None:
        self._wanted: asyncio.Future[socket.socket] | None = None

    async def async_adopt_connection(self, sock: socket.socket) -> bool:
        """The device called; a call that nobody waits for is refused."""
        if self._wanted is None or self._wanted.done():
            sock.close()
            return False
        self._wanted.set_result(sock)
        return True

    async def call(self) -> socket.socket:
        """Wait for its next call. The socket is the caller's to close."""
        self._wanted = asyncio.get_running_loop().create_future()
        try:
            return await self._wanted
        finally:
            self._wanted = None


class DialIns:
    """The port on which devices call. Each proves by its Noise key which device it is."""

    def __init__(self, port: int, host: str | None = None) -> None:
        self._server = OutgoingConnectionServer(port, host)
        self._ends: list[Callable[[], None]] = []

    @property
    def port(self) -> int:
        """Where it listens, once a device is expected."""
        return self._server.port

    def expect(self, hardware: str) -> Caller:
        """Take calls of the device with this hardware address. Raises: ConnectionEndedError if it is expected."""
        caller = Caller()
        try:
            self._ends.append(self._server.register(hardware, cast(ReconnectLogic, caller)))
        except ValueError as error:
            raise ConnectionEndedError("another_device", str(error)) from error
        return caller

    def close(self) -> None:
        """Take no more calls."""
        for end in self._ends:
            end()
        self._server.close()
