"""An MQTT 3.1.1 endpoint: clients with identities on one side, services with topics on the other.

It is no broker: clients never reach each other, nothing is retained, and every session is clean.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from entendre.core.errors import ConfigurationError
from entendre.gateways.mqtt.admission import Admission
from entendre.gateways.mqtt.connection import MqttConnection
from entendre.gateways.mqtt.router import Credentials, Identity, Message, TopicRouter, Work
from entendre.gateways.mqtt.settings import EndpointSettings

log = logging.getLogger(__name__)

BACKLOG = 512

Authenticate = Callable[[Credentials], Awaitable[Identity | None]]
"""Who these credentials belong to; None refuses them."""


class MqttEndpoint:
    """Listens on any number of addresses; knows who is connected."""

    def __init__(
        self,
        authenticate: Authenticate,
        router: TopicRouter,
        settings: EndpointSettings | None = None,
        *,
        quota_of: Callable[[str], str] = lambda address: address,
    ) -> None:
        """`quota_of`: what limits count of an address; of IPv6, a household has a whole network."""
        self._quota_of = quota_of
        self.settings = settings or EndpointSettings()
        self._authenticate = authenticate
        self._router = router
        self._admission = Admission(
            connections=self.settings.connections,
            per_address=self.settings.connections_per_address,
            wrong_passwords=self.settings.wrong_passwords,
            clock=time.monotonic,
        )
        self._servers: list[asyncio.Server] = []
        self._open: set[MqttConnection] = set()
        self._by_name: dict[tuple[str, str, str], MqttConnection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """Connections open now, whether or not they have identified themselves."""
        return len(self._open)

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Serve on an address; port 0 takes a free one. Returns the port. Raises: ConfigurationError."""
        loop = asyncio.get_running_loop()
        handshake_s = self.settings.handshake_s if tls is not None else None
        try:
            server = await loop.create_server(
                lambda: MqttConnection(self),
                host,
                port,
                backlog=BACKLOG,
                ssl=tls,
                ssl_handshake_timeout=handshake_s,
            )
        except OSError as error:
            raise ConfigurationError(f"MQTT can't listen on {host}:{port}: {error.strerror or error}.") from error
        self._servers.append(server)
        bound = int(server.sockets[0].getsockname()[1])
        log.info("mqtt endpoint listens", extra={"host": host, "port": bound, "tls": tls is not None})
        return bound

    async def close(self) -> None:
        """Stop listening and end every connection."""
        for server in self._servers:
            server.close()
        for connection in list(self._open):
            connection.close("shutting_down")
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._servers.clear()

    # -- for connections ---------------------------------------------------------------------------------------------

    def entered(self, connection: MqttConnection) -> str | None:
        """A TCP connection came; why it may not stay, if it may not."""
        refusal = self._admission.enter(self._quota_of(connection.address))
        if refusal is None:
            self._open.add(connection)
        else:
            log.info("mqtt connection refused", extra={"code": refusal})
        return refusal

    def left(self, connection: MqttConnection, reason: str) -> None:
        """A connection ended."""
        if connection not in self._open:
            return
        self._open.discard(connection)
        self._admission.leave(self._quota_of(connection.address))
        if not connection.identified:
            log.debug("mqtt client left before it was known", extra={"code": reason})
            return
        if self._by_name.get(_name(connection)) is connection:
            del self._by_name[_name(connection)]
        log.info("mqtt client gone", extra={"device": connection.identity.device, "code": reason})
        self._router.gone(connection)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do a connection's work that waits."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def identify(self, credentials: Credentials) -> Identity | None:
        """Who a client is; a failure of the registry refuses it."""
        try:
            return await self._authenticate(credentials)
        except Exception:
            log.exception("mqtt credentials could not be checked")
            return None

    def refused(self, connection: MqttConnection) -> None:
        """Credentials did not fit."""
        self._admission.refused(self._quota_of(connection.address))
        log.info("mqtt client refused", extra={"code": "unauthorized"})

    def identified(self, connection: MqttConnection) -> None:
        """A client is accepted: it replaces an older connection of the same name, then its service hears of it."""
        older = self._by_name.get(_name(connection))
        self._by_name[_name(connection)] = connection
        if older is not None:
            older.close("replaced")
        log.info("mqtt client connected", extra={"device": connection.identity.device})
        self._router.connected(connection)

    def route(self, connection: MqttConnection, message: Message) -> Work | None:
        """A client published; what nobody takes, or it may not publish, is dropped. What is to be done first."""
        try:
            taken, work = self._router.route(connection, message)
        except Exception:
            log.exception("mqtt service failed", extra={"device": connection.identity.device})
            connection.close("service_failed")
            return None
        if not taken:
            log.debug("mqtt message dropped", extra={"device": connection.identity.device})
        return work

    def keep_alive_s(self, asked_s: int) -> int:
        """The interval that holds for a client."""
        return min(asked_s or self.settings.keep_alive_s, self.settings.longest_keep_alive_s)


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 and later with this certificate chain. Raises: ConfigurationError if the files are no such things."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"The certificate {certificate} or its key can't be used: {error.strerror or error}."
        ) from error
    return context


def _name(connection: MqttConnection) -> tuple[str, str, str]:
    return connection.identity.service, connection.identity.device, connection.client_id
