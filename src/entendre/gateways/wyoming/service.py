"""Our recognizer, voices, wake word and understanding as one Wyoming TCP server."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging

from entendre.core.errors import ConfigurationError, InvalidInputError
from entendre.gateways.wyoming.engines import ServedEngines
from entendre.gateways.wyoming.service_session import ServiceSession
from entendre.gateways.wyoming.settings import SERVICE_PORT, ServiceSettings
from entendre.gateways.wyoming.stream import READ_BYTES, ConnectionEndedError, WyomingStream
from entendre.wire.wyoming_events import Error

logger = logging.getLogger(__name__)

BACKLOG = 64
CLOSED_BY_US = Error("this server is shutting down", "shutting_down")


class WyomingService:
    """Serves clients until closed; each in its own task, so that a bad or slow one costs nobody else anything."""

    def __init__(self, engines: ServedEngines, settings: ServiceSettings | None = None) -> None:
        self._engines = engines
        self._settings = settings or ServiceSettings()
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return len(self._clients)

    @property
    def port(self) -> int:
        """The port that clients reach; asks for a started service."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str = "127.0.0.1", port: int = SERVICE_PORT) -> None:
        """Listen. Port 0 takes a free one. Raises: ConfigurationError for a bind that needs permission or fails."""
        if not _is_loopback(host) and not self._settings.allow_unauthenticated_lan:
            raise ConfigurationError(
                f"Wyoming has no authentication, so its service is not bound to {host}. "
                "Set allow_unauthenticated_lan if everybody on that network may use it."
            )
        try:
            self._server = await asyncio.start_server(self._connected, host, port, limit=READ_BYTES, backlog=BACKLOG)
        except OSError as error:
            raise ConfigurationError(f"The Wyoming service can't listen on {host}:{port}: {error.strerror}.") from error
        logger.info("wyoming service listens", extra={"host": host, "port": self.port})

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is None:
            return
        self._server.close()
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        self._server = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        stream = WyomingStream(reader, writer, write_within_s=self._settings.write_within_s)
        if len(self._clients) >= self._settings.connections:
            await stream.close(Error("too many connections", "overloaded"))
            return
        self._clients.add(task)
        try:
            await self._serve(task, stream)
        except asyncio.CancelledError:
            stream.abort()  # the service closes while a last error is still on its way
        finally:
            self._clients.discard(task)

    async def _serve(self, task: asyncio.Task[None], stream: WyomingStream) -> None:
        """Serve one client; work for one that is gone is cancelled at once."""
        last: Error | None = None
        lost = asyncio.create_task(stream.lost())

        def give_up(_: asyncio.Task[None]) -> None:
            task.cancel()

        lost.add_done_callback(give_up)
        try:
            await self._answer(stream)
        except ConnectionEndedError as error:
            last = Error(error.public_message, error.reason)
        except InvalidInputError as error:
            last = Error(error.public_message, error.code)
        except asyncio.CancelledError:
            last = None if lost.done() else CLOSED_BY_US
        except Exception:
            logger.exception("wyoming client failed")
            last = Error("an internal error ended the connection", "internal")
        finally:
            lost.remove_done_callback(give_up)
            lost.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await lost
            await stream.close(last, patient=last is not CLOSED_BY_US)
            if last is not None:
                logger.info("wyoming client ended", extra={"code": last.code})

    async def _answer(self, stream: WyomingStream) -> None:
        session = ServiceSession(self._engines, self._settings, stream.send)
        while True:
            try:
                async with asyncio.timeout(self._settings.idle_s):
                    events = await stream.receive()
            except TimeoutError:
                raise ConnectionEndedError("idle", "nothing was sent for too long") from None
            if events is None:
                return
            for event in events:
                await session.received(event)


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
