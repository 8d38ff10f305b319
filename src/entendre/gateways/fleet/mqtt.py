"""Devices of the fleet behind the MQTT endpoint: a device's own topics, below `entendre/v1/<device>/`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol, cast

from entendre.core.errors import (
    EntendreError,
    OfflineError,
    OverloadedError,
    StoreError,
    ThrottledError,
    UnavailableError,
)
from entendre.gateways.fleet import asked
from entendre.gateways.mqtt.router import Client, Credentials, Identity, Message, Work
from entendre.ports.commands import CommandAnswer, CommandRecord
from entendre.ports.fleet_devices import DeviceLogin
from entendre.ports.links import SPEAKS, DeviceLinks
from entendre.wire import fleet_messages as wire
from entendre.wire.failure import ProtocolFailed

log = logging.getLogger(__name__)

PATIENCE = 10
"""How often a message that came too fast is tried again; it is not acknowledged meanwhile."""
LONGEST_WAIT_S = 10.0
BUSY_S = 1.0
TOKEN = b"entd_"
"""What the passwords of devices of the fleet begin with."""


class DeviceLogins(Protocol):
    """Who a device is, and until when."""

    async def login(self, token: str) -> DeviceLogin | None:
        """The device that a token belongs to; None if it is malformed, unknown, over or revoked."""
        ...

    def watch(self, device: str, ended: Callable[[], None], credential: str = "") -> Callable[[], None]:
        """Call `ended` once, within 2 s, when a device is revoked or forgotten, later when a credential is over.

        Returns how to stop.
        """
        ...


class Desk(Protocol):
    """Follows what devices ask for."""

    async def follow(self, who: DeviceLogin, request: wire.DeviceRequest) -> dict[str, Any]:
        """Do what a device asks for; the members of the answer. Raises: EntendreError."""
        ...


class FleetMqtt:
    """Implements `mqtt.router.Service`."""

    name = "fleet"
    filters = (f"{wire.PREFIX}/#",)

    def __init__(self, logins: DeviceLogins, desk: Desk, links: DeviceLinks) -> None:
        self._logins = logins
        self._desk = desk
        self._links = links
        self._devices: dict[Client, MqttLink] = {}

    @staticmethod
    def knows(credentials: Credentials) -> bool:
        """Whether these are credentials of a device of the fleet, right or wrong."""
        return credentials.password is not None and credentials.password.startswith(TOKEN)

    async def identify(self, credentials: Credentials) -> Identity | None:
        """The device whose id is the user name and whose token is the password."""
        if not self.knows(credentials) or credentials.password is None:
            return None
        try:
            login = await self._logins.login(credentials.password.decode("ascii"))
        except UnicodeDecodeError:
            return None
        if login is None or credentials.username != login.device:
            return None
        own = (f"{wire.PREFIX}/{login.device}/#",)
        return Identity(self.name, login.device, own, own, login)

    def connected(self, client: Client) -> None:
        """A device came; a connection that it had before is closed, whatever its client id."""
        link = MqttLink(client, cast(DeviceLogin, client.identity.admitted), self._desk)
        self._devices[client] = link
        unwatch = self._logins.watch(link.device, lambda: client.close("revoked"), link.who.credential)
        link.ends = [unwatch, self._links.attach(link.device, link.who.brand, link)]

    def received(self, client: Client, message: Message) -> Work | None:
        """A device said something on one of its topics."""
        link = self._devices.get(client)
        return link.received(message) if link is not None else None

    def gone(self, client: Client) -> None:
        """A device's connection is down."""
        link = self._devices.pop(client, None)
        if link is not None:
            link.gone()


class MqttLink:
    """Implements `ports.links.CommandLink` over one MQTT connection."""

    kind = "mqtt"
    rank = SPEAKS

    def __init__(self, client: Client, who: DeviceLogin, desk: Desk) -> None:
        self._client = client
        self.who = who
        self._desk = desk
        self._calls = asked.Calls()
        self.ends: list[Callable[[], None]] = []

    @property
    def device(self) -> str:
        """The device's id."""
        return self.who.device

    # -- what the cloud wants of the device --------------------------------------------------------------------------

    async def call(self, command: str, name: str, payload: Any, timeout_s: float) -> CommandAnswer:
        """Have the device do something now; the caller bounds the wait. Raises: OfflineError."""
        with self._calls.waiting(command) as answer:
            if not self._send(f"commands/{command}", asked.direct(name, payload, timeout_s)):
                raise OfflineError("The device is not connected.")
            return await answer

    async def deliver(self, command: CommandRecord) -> None:
        """Hand over a queued command; returns once it is confirmed. Raises: OfflineError, OverloadedError."""
        topic = wire.topic_of(self.device, f"commands/{command.id}")
        try:
            await self._client.publish_confirmed(topic, wire.compact(asked.queued(command)))
        except UnavailableError as error:
            raise OfflineError("The device went away.") from error

    def desired(self, patch: Any, version: int, *, replaces: bool) -> None:
        """The desired section of the twin changed by a merge patch, or was replaced. Never waits."""
        self._send("twin/desired", asked.desired(patch, version, replaces=replaces))

    def close(self, reason: str) -> None:
        """End the connection."""
        self._client.close(reason)

    # -- what the device says ----------------------------------------------------------------------------------------

    def received(self, message: Message) -> Work | None:
        """Follow one message; what has to be done before it is acknowledged."""
        kind = wire.kind_of_topic(self.device, message.topic) or ""
        request = wire.read_request(kind, message.payload)
        if isinstance(request, ProtocolFailed):
            self._refuse(kind, None, request.code, request.message)
            return None
        if isinstance(request, wire.CommandAnswered) and self._calls.answered(request):
            return None
        return self._follow(kind, request, patient=message.qos > 0)

    async def _follow(self, kind: str, request: wire.DeviceRequest, *, patient: bool) -> None:
        """Do what a request asks for. What should be acknowledged and can't be kept now waits. Raises: StoreError."""
        try:
            answer = await self._done(request, patient=patient)
        except (StoreError, OverloadedError, ThrottledError) as error:
            self._refuse(kind, request.request, error.code, error.public_message)
            if patient:
                raise
            return
        except EntendreError as error:
            self._refuse(kind, request.request, error.code, error.public_message)
            return
        if request.request is not None or isinstance(request, wire.TwinAsked | wire.ReleaseAsked):
            self._send("answers", {"request": request.request, "topic": kind, **answer})

    async def _done(self, request: wire.DeviceRequest, *, patient: bool) -> dict[str, Any]:
        for _ in range(PATIENCE if patient else 0):
            try:
                return await self._desk.follow(self.who, request)
            except ThrottledError as error:
                await asyncio.sleep(min(error.retry_after_s, LONGEST_WAIT_S))
            except OverloadedError:
                await asyncio.sleep(BUSY_S)
        return await self._desk.follow(self.who, request)

    def gone(self) -> None:
        """The connection is down: who waits for an answer is told."""
        for end in self.ends:
            end()
        self._calls.gone()

    def _refuse(self, kind: str, request: str | None, code: str, message: str) -> None:
        log.debug("a device's message was refused", extra={"device": self.device, "code": code})
        self._send(
            "errors", {"request": request, "topic": kind[: wire.MAX_LABEL_CHARS], "code": code, "message": message}
        )

    def _send(self, kind: str, document: dict[str, Any]) -> bool:
        return self._client.publish(wire.topic_of(self.device, kind), wire.compact(document))
