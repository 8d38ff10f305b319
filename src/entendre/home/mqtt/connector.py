"""The MQTT connector: listens to one broker for as long as it runs, and survives its absence."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from entendre.core.actions import Trait, TraitValue
from entendre.core.errors import InvalidInputError, MissingExtraError, UnavailableError, UnknownTargetError
from entendre.core.home import Appliance
from entendre.home.graph import HomeGraph
from entendre.home.mqtt.discovery import DiscoveryError, parse
from entendre.home.mqtt.part import Publish
from entendre.home.mqtt.registry import Composed, Registry
from entendre.home.mqtt.settings import MqttSettings

try:
    import aiomqtt
except ImportError as error:  # pragma: no cover
    raise MissingExtraError("MQTT needs more packages: pip install 'entendre[mqtt]'") from error

log = logging.getLogger(__name__)

MAX_STATE_BYTES = 64 * 1024
MAX_STATE_TOPICS = 20_000
MAX_QUEUED_MESSAGES = 50_000
"""Retained messages of a large broker arrive all at once; beyond this they are dropped."""
QOS = 1


@dataclass(frozen=True, slots=True)
class MqttStatus:
    """Whether the broker is there; `reason` says why not, for people."""

    connected: bool
    reason: str | None = None
    appliances: int = 0
    ignored_messages: int = 0


@dataclass(slots=True)
class _Live:
    """An appliance with what its availability topics said last."""

    composed: Composed
    said: dict[str, bool] = field(default_factory=dict)
    latest: bool = True

    @property
    def available(self) -> bool:
        """By its availability mode; what was never said counts as reachable."""
        states = [self.said.get(each.topic, True) for each in self.composed.availability]
        if not states:
            return True
        return {"all": all(states), "any": any(states)}.get(self.composed.mode, self.latest)


class MqttConnector:
    """Puts a broker's appliances into the graph, carries commands to them and their state back.

    Raises: InvalidInputError when a setting makes no sense.
    """

    name = "mqtt"

    def __init__(self, settings: MqttSettings, graph: HomeGraph) -> None:
        if not settings.host or not settings.prefix or any(mark in settings.prefix for mark in "+#"):
            raise InvalidInputError("MQTT needs a host, and a discovery prefix without wildcards")
        self._settings = settings
        self._graph = graph
        self._registry = Registry()
        self._live: dict[str, _Live] = {}
        self._by_device: dict[str, set[str]] = defaultdict(set)
        self._listeners: dict[str, set[str]] = defaultdict(set)
        self._client: aiomqtt.Client | None = None
        self._reason: str | None = "Not connected yet."
        self._ignored = 0

    @property
    def status(self) -> MqttStatus:
        """Whether the broker is there, and why not."""
        return MqttStatus(self._client is not None, self._reason, len(self._live), self._ignored)

    async def run(self) -> None:
        """Serve until cancelled; connects again, ever more slowly, when the broker is gone."""
        delay_s = self._settings.first_retry_s
        while True:
            try:
                await self._serve()
            except (aiomqtt.MqttError, OSError) as error:
                connected = self._client is not None
                self._lost(error)
                delay_s = self._settings.first_retry_s if connected else delay_s
            finally:
                self._client = None
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))
            delay_s = min(delay_s * 2, self._settings.last_retry_s)

    async def _serve(self) -> None:
        settings = self._settings
        tls = ssl.create_default_context(cafile=settings.tls_ca_file) if settings.tls else None
        async with aiomqtt.Client(
            settings.host,
            settings.port,
            username=settings.username,
            password=settings.password,
            identifier=settings.client_id,
            keepalive=settings.keepalive_s,
            tls_context=tls,
            timeout=settings.publish_timeout_s,
            max_queued_incoming_messages=MAX_QUEUED_MESSAGES,
        ) as client:
            for pattern in ("+/+/config", "+/+/+/config"):
                await client.subscribe(f"{settings.prefix}/{pattern}", qos=QOS)
            await self._subscribe(client, self._listeners)
            self._found(client)
            if settings.announce:
                await client.publish(f"{settings.prefix}/status", "online", qos=QOS)
            async for message in client.messages:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                await self._received(client, message.topic.value, payload)

    def _found(self, client: aiomqtt.Client) -> None:
        self._client, self._reason = client, None
        log.info("MQTT broker connected")
        for identifier, live in self._live.items():
            self._graph.set_available(identifier, live.available)

    def _lost(self, error: BaseException) -> None:
        reason = str(error) or type(error).__name__
        if self._client is not None or reason != self._reason:
            log.warning("MQTT broker is gone", extra={"reason": reason})
        self._client, self._reason = None, reason
        for identifier in self._live:
            self._graph.set_available(identifier, False)

    async def _received(self, client: aiomqtt.Client, topic: str, payload: bytes) -> None:
        if topic.startswith(self._settings.prefix + "/") and topic.endswith("/config"):
            await self._discovered(client, topic, payload)
        elif topic in self._listeners:
            self._reported(topic, payload)

    async def _discovered(self, client: aiomqtt.Client, topic: str, payload: bytes) -> None:
        try:
            entities = parse(topic, payload, self._settings.prefix)
        except DiscoveryError as error:
            self._ignored += 1
            log.warning("MQTT discovery message ignored", extra={"reason": str(error)})
            return
        unit = self._graph.snapshot().temperature_unit
        scenes = {each.scene.id for each in self._registry.scenes.values()}
        changed = self._registry.announce(topic, entities, unit)
        self._put_scenes(scenes)
        fresh: set[str] = set()
        for device in changed:
            fresh |= self._recompose(device)
        await self._subscribe(client, fresh)

    def _put_scenes(self, before: set[str]) -> None:
        now = {each.scene.id: each.scene for each in self._registry.scenes.values()}
        for gone in before - set(now):
            self._graph.remove_scene(gone)
        for scene in now.values():
            self._graph.put_scene(scene, self)

    def _recompose(self, device: str) -> set[str]:
        """Put a device's appliances into the graph anew; returns the topics to subscribe."""
        home = self._graph.snapshot()
        composed = {each.appliance.id: each for each in self._registry.compose(device, home)}
        for gone in self._by_device.pop(device, set()) - set(composed):
            self._forget(gone)
        fresh: set[str] = set()
        for each in composed.values():
            fresh |= self._put(device, each)
        return fresh

    def _put(self, device: str, composed: Composed) -> set[str]:
        """Put one appliance into the graph; returns its topics. A topic subscribed again sends its last state again."""
        topics = {each.topic for each in composed.part.readers} | {each.topic for each in composed.availability}
        if len(self._listeners) + len(topics) > MAX_STATE_TOPICS:
            log.warning("too many MQTT topics, the rest is left out", extra={"limit": MAX_STATE_TOPICS})
            return set()
        identifier = composed.appliance.id
        before = self._live.get(identifier)
        live = _Live(composed) if before is None else _Live(composed, before.said, before.latest)
        try:
            self._graph.put_appliance(self._present(composed, live), self)
        except InvalidInputError:
            self._ignored += 1
            log.warning("MQTT appliance ignored", extra={"reason": "its id is taken"})
            return set()
        if composed.room is not None and composed.room.id not in {room.id for room in self._graph.snapshot().rooms}:
            self._graph.put_room(composed.room)
        self._by_device[device].add(identifier)
        self._live[identifier] = live
        for topic in topics:
            self._listeners[topic].add(identifier)
        return topics

    def _present(self, composed: Composed, live: _Live) -> Appliance:
        """The appliance with what is already known of its state."""
        appliance = composed.appliance
        known = next((each for each in self._graph.snapshot().appliances if each.id == appliance.id), None)
        state = {} if known is None else {key: value for key, value in known.state.items() if key in appliance.traits}
        return replace(appliance, state=state, available=live.available)

    def _forget(self, identifier: str) -> None:
        self._live.pop(identifier, None)
        for topic in [topic for topic, ids in self._listeners.items() if identifier in ids]:
            self._listeners[topic].discard(identifier)
            if not self._listeners[topic]:
                del self._listeners[topic]
        self._graph.remove_appliance(identifier)

    async def _subscribe(self, client: aiomqtt.Client, topics: Iterable[str]) -> None:
        for topic in sorted(topics):
            await client.subscribe(topic, qos=QOS)

    def _reported(self, topic: str, payload: bytes) -> None:
        if len(payload) > MAX_STATE_BYTES:
            self._ignored += 1
            return
        text = payload.decode("utf-8", "replace")
        for identifier in tuple(self._listeners[topic]):
            self._tell(identifier, topic, text)

    def _tell(self, identifier: str, topic: str, text: str) -> None:
        live = self._live[identifier]
        for each in live.composed.availability:
            said = each.read(text) if each.topic == topic else None
            if said is not None:
                live.said[topic] = live.latest = said
                self._graph.set_available(identifier, live.available and self._client is not None)
        for reader in live.composed.part.readers:
            if reader.topic == topic:
                try:
                    self._graph.report(identifier, reader.read(text))
                except ValueError:
                    self._ignored += 1
                    log.debug("MQTT state ignored", extra={"reason": "out of range"})

    async def set_trait(self, appliance: str, trait: Trait, value: TraitValue) -> None:
        """Publish one command. Raises: UnavailableError, UnknownTargetError."""
        live = self._live.get(appliance)
        writer = None if live is None else live.composed.part.writers.get(trait)
        if live is None or writer is None:
            raise UnknownTargetError(detail=f"nothing to command {trait} of {appliance}")
        known = next((each for each in self._graph.snapshot().appliances if each.id == appliance), None)
        await self._publish(writer.write(value, {} if known is None else known.state))
        if not writer.echoed:
            self._graph.report(appliance, {trait: value})

    async def activate_scene(self, scene: str) -> None:
        """Publish a scene's command. Raises: UnavailableError, UnknownTargetError."""
        found = next((each for each in self._registry.scenes.values() if each.scene.id == scene), None)
        if found is None:
            raise UnknownTargetError(detail=f"no scene {scene}")
        await self._publish(((found.topic, found.payload),))

    async def _publish(self, messages: Iterable[Publish]) -> None:
        client = self._client
        if client is None:
            raise UnavailableError(detail=f"the MQTT broker is gone: {self._reason}")
        try:
            for topic, payload in messages:
                await client.publish(topic, payload, qos=QOS, timeout=self._settings.publish_timeout_s)
        except (aiomqtt.MqttError, OSError) as error:
            raise UnavailableError(detail=f"the MQTT broker did not take a command: {error}") from error
