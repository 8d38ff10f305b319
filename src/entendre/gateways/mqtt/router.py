"""Who gets which topic: services add the topics that they understand, and are told of clients that come and go."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from entendre.wire.mqtt_packets import matches


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client says of itself at CONNECT. `address` is numeric and comes from the socket."""

    client_id: str
    username: str | None
    password: bytes | None
    address: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a connection is. Decided once, at CONNECT; no payload changes it.

    `service`: the service whose credentials they were. `device`: its device id. `publishes` and `subscribes`: the topic
    filters it may use; anything else it sends is dropped, anything else it asks for is refused. `admitted`: what the
    service that knew the credentials wants to have at hand.
    """

    service: str
    device: str
    publishes: tuple[str, ...]
    subscribes: tuple[str, ...] = ()
    admitted: object = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message that a client published; retain is not supported and was cleared."""

    topic: str
    payload: bytes
    qos: int = 0


Work = Coroutine[Any, Any, None]
"""What has to be done before a message is acknowledged; if it fails, the message never is."""


class Client(Protocol):
    """A connected client, as a service sees it."""

    @property
    def identity(self) -> Identity:
        """Who it is."""
        ...

    @property
    def client_id(self) -> str:
        """The id it connected with."""
        ...

    @property
    def address(self) -> str:
        """Its numeric address."""
        ...

    @property
    def local_address(self) -> str:
        """The numeric address of ours that it connected to."""
        ...

    def publish(self, topic: str, payload: bytes) -> bool:
        """Push a message at QoS 0, whether or not it subscribed; False if the client is gone."""
        ...

    async def publish_confirmed(self, topic: str, payload: bytes) -> None:
        """Push a message at QoS 1 and wait until the client confirms it.

        Raises: OverloadedError when too many are unconfirmed, UnavailableError when the client goes away before.
        """
        ...

    def subscribed(self, topic: str) -> bool:
        """Whether it asked for a topic."""
        ...

    def close(self, reason: str) -> None:
        """End the connection after what is on its way out."""
        ...


class Service(Protocol):
    """Something behind the endpoint. Its methods are called on the event loop and never block."""

    name: str

    def connected(self, client: Client) -> None:
        """A client whose identity names this service has connected."""
        ...

    def received(self, client: Client, message: Message) -> Work | None:
        """A client published to one of the topics that this service was added for.

        The message is acknowledged at once, or once the work that is returned is done.
        """
        ...

    def gone(self, client: Client) -> None:
        """A client that was announced by `connected` is connected no more."""
        ...


class TopicRouter:
    """Topic filters to services. The first filter that matches takes a message."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, Service]] = []
        self._services: dict[str, Service] = {}

    def add(self, service: Service, filters: Sequence[str]) -> None:
        """Send what matches these topic filters to a service."""
        self._services[service.name] = service
        self._routes += [(each, service) for each in filters]

    def connected(self, client: Client) -> None:
        """Tell the client's own service."""
        service = self._services.get(client.identity.service)
        if service is not None:
            service.connected(client)

    def gone(self, client: Client) -> None:
        """Tell the client's own service."""
        service = self._services.get(client.identity.service)
        if service is not None:
            service.gone(client)

    def route(self, client: Client, message: Message) -> tuple[bool, Work | None]:
        """Hand a message over; False if the client may not publish there or nobody listens."""
        if not any(matches(each, message.topic) for each in client.identity.publishes):
            return False, None
        for pattern, service in self._routes:
            if matches(pattern, message.topic):
                return True, service.received(client, message)
        return False, None


def covers(own: str, asked: str) -> bool:
    """Whether everything that an asked filter matches is matched by an own one too."""
    wide, narrow = own.split("/"), asked.split("/")
    for place, level in enumerate(wide):
        if level == "#":
            return True
        if place >= len(narrow) or narrow[place] == "#" or level not in ("+", narrow[place]):
            return False
    return len(wide) == len(narrow)
