"""Devices that dial us (ESPHome's `outgoing_connection`), because we can't reach them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from aioesphomeapi.outgoing_connection import OutgoingConnectionServer
from aioesphomeapi.reconnect_logic import ReconnectLogic

from entendre.core.errors import ConfigurationError


class Caller:
    """Takes the calls of one device. The library asks no more of what it registers than this one method."""

    def __init__(self) -> None:
        self._wanted: asyncio.Future[socket.socket] | None = None
        self._waiting: socket.socket | None = None
        self._busy = False

    async def async_adopt_connection(self, sock: socket.socket) -> bool:
        """The device called. While it is served another call is refused: who calls has not proved yet who it is."""
        if self._busy:
            sock.close()
            return False
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(sock)
        else:
            self._drop_waiting()
            self._waiting = sock
        return True

    async def call(self) -> socket.socket:
        """Wait for its next call, which may have come already. The socket is the caller's to close."""
        sock, self._waiting = self._waiting, None
        if sock is None:
            self._wanted = asyncio.get_running_loop().create_future()
            try:
                sock = await self._wanted
            finally:
                self._wanted = None
        self._busy = True
        return sock

    def hung_up(self) -> None:
        """The call is over: the next one is welcome."""
        self._busy = False

    def close(self) -> None:
        """Nobody will answer any more."""
        self._busy = True
        self._drop_waiting()

    def _drop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None


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
        """Take calls of the device with this hardware address. Raises: ConfigurationError if it is expected already."""
        caller = Caller()
        try:
            self._ends.append(self._server.register(hardware, cast(ReconnectLogic, caller)))
        except ValueError as error:
            raise ConfigurationError(f"Two ESPHome devices have the hardware address {hardware}.") from error
        self._ends.append(caller.close)
        return caller

    def close(self) -> None:
        """Take no more calls."""
        for end in self._ends:
            end()
        self._server.close()
