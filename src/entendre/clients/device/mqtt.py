"""A device's link over MQTT: its own topics below `entendre/v1/<device>/`, JSON objects, at least once (QoS 1).

Source: docs/fleet-devices.md. Needs the extra `mqtt`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from entendre.clients.api.errors import NotReachedError
from entendre.clients.device.commands import Command, CommandAnswer
from entendre.clients.device.link import DesiredPatched, DesiredReplaced, Heard, LinkRefusedError, Offer, TwinState
from entendre.clients.device.link import UpdateSaid as Said
from entendre.clients.device.telemetry import Reading
from entendre.core.errors import MissingExtraError

PREFIX = "entendre/v1"
ANSWER_S = 30.0
KEEP_ALIVE_S = 60
MAX_INBOX = 256


class MqttLink:
    """Implements `DeviceLink`. `tls`: a context for port 8883; None: without TLS, for a network of one's own."""

    def __init__(self, host: str, port: int, device: str, token: str, tls: ssl.SSLContext | None = None) -> None:
        self._host, self._port, self._device, self._token, self._tls = host, port, device, token, tls
        self._leave = contextlib.AsyncExitStack()
        self._client: Any = None
        self._failure: type[Exception] = ConnectionError
        self._reading: asyncio.Task[None] | None = None
        self._inbox: asyncio.Queue[Heard | None] = asyncio.Queue(MAX_INBOX)
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}

    async def open(self) -> None:
        """Connect, and hear everything that is for this device. Raises: NotReachedError, MissingExtraError."""
        try:
            import aiomqtt
        except ImportError as error:
            raise MissingExtraError("This needs the extra `mqtt`: pip install 'entendre[mqtt]'.") from error
        self._failure = aiomqtt.MqttError
        client = aiomqtt.Client(
            self._host,
            self._port,
            identifier=self._device,
            username=self._device,
            password=self._token,
            keepalive=KEEP_ALIVE_S,
            tls_context=self._tls,
        )
        try:
            self._client = await self._leave.enter_async_context(client)
            await self._client.subscribe(f"{PREFIX}/{self._device}/#", qos=1)
        except aiomqtt.MqttError as error:
            await self.close()
            raise NotReachedError(
                f"MQTT at {self._host}:{self._port} refused us or is away.", detail=str(error)
            ) from error
        self._inbox = asyncio.Queue(MAX_INBOX)
        self._reading = asyncio.create_task(self._read(), name="device-mqtt")

    async def close(self) -> None:
        """Disconnect; whoever waits is told."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        with contextlib.suppress(self._failure):
            await self._leave.aclose()
        self._client = None

    async def next(self) -> Heard:
        """The next command or change of the twin. Raises: NotReachedError."""
        heard = await self._inbox.get()
        if heard is None:
            raise NotReachedError("The MQTT connection is gone.")
        return heard

    async def twin(self) -> TwinState:
        """The twin as it is now."""
        return msgspec.convert(await self._ask("twin/get", {}), TwinState)

    async def report(self, patch: dict[str, Any]) -> int:
        """Change the reported section."""
        return int((await self._ask("twin/reported", {"patch": patch}))["version"])

    async def send(self, readings: Sequence[Reading]) -> None:
        """Hand telemetry over."""
        await self._ask("telemetry", {"messages": [{"id": e.id, "at_s": e.at_s, "body": e.body} for e in readings]})

    async def answer(self, command: str, answer: CommandAnswer) -> None:
        """Say how a command went. A direct one needs no more than to be on its way."""
        document = {"status": answer.status, "result": answer.result}
        await self._publish(f"commands/{command}/answer", document)

    async def release(self, said: Said) -> Offer | None:
        """Ask what to install."""
        document = {name: value for name, value in msgspec.to_builtins(said).items() if value not in (None, "", 0)}
        answer = await self._ask("release", document)
        offer = answer.get("offer")
        return None if offer is None else msgspec.convert(offer, Offer)

    async def _ask(self, kind: str, document: dict[str, Any]) -> dict[str, Any]:
        """Say something and wait for the answer to it. Raises: NotReachedError, LinkRefusedError."""
        request = uuid.uuid4().hex
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[request] = future
        try:
            await self._publish(kind, {**document, "request": request})
            async with asyncio.timeout(ANSWER_S):
                return await future
        except TimeoutError as error:
            raise NotReachedError("The server did not answer in time.") from error
        finally:
            del self._asked[request]
            if future.done() and not future.cancelled():
                future.exception()  # seen: the publishing broke before anybody waited for the answer

    async def _publish(self, kind: str, document: dict[str, Any]) -> None:
        """Publish; returns once it is acknowledged, which is once it is kept. Raises: NotReachedError."""
        if self._client is None:
            raise NotReachedError("The MQTT connection is gone.")
        try:
            await self._client.publish(f"{PREFIX}/{self._device}/{kind}", msgspec.json.encode(document), qos=1)
        except self._failure as error:
            raise NotReachedError("The MQTT connection is gone.", detail=str(error)) from error

    async def _read(self) -> None:
        try:
            with contextlib.suppress(self._failure):
                async for message in self._client.messages:
                    kind = str(message.topic).removeprefix(f"{PREFIX}/{self._device}/")
                    await self._heard(kind, bytes(message.payload))
        finally:
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(NotReachedError("The MQTT connection is gone."))
            with contextlib.suppress(asyncio.QueueFull):
                self._inbox.put_nowait(None)

    async def _heard(self, kind: str, payload: bytes) -> None:
        """Take one message; what can't be read is passed over."""
        with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, ValueError):
            document = msgspec.json.decode(payload, type=dict[str, Any])
            if kind in ("answers", "errors"):
                self._answered(kind, document)
            elif kind == "twin/desired" and "replaced" in document:
                await self._inbox.put(DesiredReplaced(dict(document["replaced"]), int(document["version"])))
            elif kind == "twin/desired":
                await self._inbox.put(DesiredPatched(dict(document["patch"]), int(document["version"])))
            elif kind.startswith("commands/") and "name" in document:
                id_ = kind.removeprefix("commands/")
                await self._inbox.put(Command(id_, str(document["name"]), document.get("payload")))

    def _answered(self, kind: str, document: dict[str, Any]) -> None:
        future = self._asked.get(str(document.get("request")))
        if future is None or future.done():
            return
        if kind == "answers":
            future.set_result(document)
        else:
            future.set_exception(LinkRefusedError(str(document.get("code")), str(document.get("message", ""))))
