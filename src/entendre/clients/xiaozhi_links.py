"""The two ways a xiaozhi speaker is connected: one WebSocket, or MQTT for control and encrypted UDP for audio.

Written from xiaozhi-esp32 2.4.2 (`websocket_protocol.cc`, `mqtt_protocol.cc`), apart from the server's side on purpose.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp

from entendre.clients.realtime import ConnectionFailedError
from entendre.clients.xiaozhi_boot import Hardware
from entendre.clients.xiaozhi_playback import framed, unframed
from entendre.core.errors import MissingExtraError

HELLO_S = 10.0
MAX_MESSAGE_BYTES = 8192
TLS_PORT = 8883
KEEP_ALIVE_S = 240
_HEAD = struct.Struct(">BBHIII")


class Link(Protocol):
    """A speaker's connection. `receive` gives JSON as str, Opus packets as bytes, and None when the channel is gone."""

    transport: str
    version: int

    async def open(self) -> None:
        """Connect, as far as that is needed for a hello. Raises: ConnectionFailedError."""
        ...

    async def opened(self, hello: dict[str, Any]) -> None:
        """The server's hello has come: audio may follow. Raises: ConnectionFailedError."""
        ...

    async def send_json(self, message: dict[str, Any]) -> None:
        """Send control. Raises: ConnectionFailedError."""
        ...

    async def send_opus(self, opus: bytes) -> None:
        """Send one packet of sound. Raises: ConnectionFailedError."""
        ...

    async def receive(self) -> str | bytes | None:
        """The next message."""
        ...

    async def close_channel(self, session_id: str) -> None:
        """End the conversation."""
        ...

    async def close(self) -> None:
        """Leave nothing open."""
        ...


class WebSocketLink:
    """One socket for a conversation. `settings`: `url`, `token` and `version` of the configuration."""

    transport = "websocket"

    def __init__(self, settings: dict[str, Any], hardware: Hardware) -> None:
        self.version = 1
        self._framing = int(settings.get("version") or 1)
        self._url = str(settings["url"])
        self._token = str(settings.get("token") or "")
        self._hardware = hardware
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def open(self) -> None:
        """Connect, unless it is connected."""
        if self._socket is not None and not self._socket.closed:
            return
        await self.close()
        headers = {"Protocol-Version": str(self._framing), "Device-Id": self._hardware.mac}
        headers["Client-Id"] = self._hardware.uuid
        if self._token:
            headers["Authorization"] = self._token if " " in self._token else f"Bearer {self._token}"
        self._http = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(HELLO_S):
                self._socket = await self._http.ws_connect(self._url, headers=headers, max_msg_size=MAX_MESSAGE_BYTES)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            await self.close()
            raise ConnectionFailedError(f"{self._url} can't be reached.", detail=str(error)) from error

    async def opened(self, hello: dict[str, Any]) -> None:
        """Nothing else is needed."""

    async def send_json(self, message: dict[str, Any]) -> None:
        """Send control."""
        await self._sent(json.dumps(message, ensure_ascii=False))

    async def send_opus(self, opus: bytes) -> None:
        """Send one packet of sound."""
        await self._sent(framed(self._framing, opus))

    async def receive(self) -> str | bytes | None:
        """The next message."""
        if self._socket is None:
            return None
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            return str(message.data)
        if message.type is aiohttp.WSMsgType.BINARY:
            return unframed(self._framing, message.data)
        return None

    async def close_channel(self, session_id: str) -> None:
        """This kind of speaker just closes its socket."""
        await self.close()

    async def close(self) -> None:
        """Close the socket."""
        socket, self._socket = self._socket, None
        http, self._http = self._http, None
        if socket is not None:
            await socket.close()
        if http is not None:
            await http.close()

    async def _sent(self, data: str | bytes) -> None:
        if self._socket is None or self._socket.closed:
            raise ConnectionFailedError("The server ended the connection.")
        try:
            await (self._socket.send_str(data) if isinstance(data, str) else self._socket.send_bytes(data))
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ConnectionFailedError("The server ended the connection.") from error


class MqttLink:
    """MQTT that stays connected, and UDP per conversation. `settings`: the configuration's object `mqtt`."""

    transport = "udp"

    def __init__(self, settings: dict[str, Any]) -> None:
        self.version = 3
        self._settings = settings
        self._inbox: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._control: Any = None
        self._leave = contextlib.AsyncExitStack()
        self._reading: asyncio.Task[None] | None = None
        self.audio: UdpAudio | None = None

    async def open(self) -> None:
        """Connect the control link, unless it is connected."""
        if self._control is not None and self._reading is not None and not self._reading.done():
            return
        try:
            import aiomqtt
        except ImportError as error:
            raise MissingExtraError("This needs the extra `mqtt`: pip install 'entendre[mqtt]'.") from error
        host, _, port = str(self._settings["endpoint"]).partition(":")
        control = aiomqtt.Client(
            host,
            int(port or TLS_PORT),
            identifier=str(self._settings["client_id"]),
            username=str(self._settings["username"]),
            password=str(self._settings["password"]),
            keepalive=int(self._settings.get("keepalive") or KEEP_ALIVE_S),
            tls_params=aiomqtt.TLSParameters() if int(port or TLS_PORT) == TLS_PORT else None,
        )
        try:
            self._control = await self._leave.enter_async_context(control)
        except aiomqtt.MqttError as error:
            raise ConnectionFailedError(f"MQTT at {host} can't be reached.", detail=str(error)) from error
        self._reading = asyncio.create_task(self._read(aiomqtt.MqttError), name="xiaozhi-mqtt")

    async def opened(self, hello: dict[str, Any]) -> None:
        """Open the audio channel that the hello describes."""
        self._end_audio()
        settings = hello["udp"]
        if settings["encryption"] != "aes-128-ctr":
            raise ConnectionFailedError("The server wants another encryption than the device has.")
        key, nonce = bytes.fromhex(settings["key"]), bytes.fromhex(settings["nonce"])
        loop = asyncio.get_running_loop()
        address = (str(settings["server"]), int(settings["port"]))
        _, self.audio = await loop.create_datagram_endpoint(
            lambda: UdpAudio(key, nonce, self._inbox.put_nowait), remote_addr=address
        )

    async def send_json(self, message: dict[str, Any]) -> None:
        """Publish control; the firmware never subscribes."""
        if self._control is None or self._reading is None or self._reading.done():
            raise ConnectionFailedError("The MQTT connection is gone.")
        import aiomqtt

        payload = json.dumps(message, ensure_ascii=False)
        try:
            await self._control.publish(str(self._settings["publish_topic"]), payload, qos=0)
        except aiomqtt.MqttError as error:
            raise ConnectionFailedError("The MQTT connection is gone.", detail=str(error)) from error

    async def send_opus(self, opus: bytes) -> None:
        """Send one packet of sound."""
        if self.audio is not None:
            self.audio.send(opus)

    async def receive(self) -> str | bytes | None:
        """The next message of either way."""
        return await self._inbox.get()

    async def close_channel(self, session_id: str) -> None:
        """Say goodbye, and keep the control link."""
        self._end_audio()
        if self._reading is not None and not self._reading.done():
            await self.send_json({"session_id": session_id, "type": "goodbye"})

    async def close(self) -> None:
        """Disconnect."""
        self._end_audio()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._leave.aclose()
        self._control = None

    def _end_audio(self) -> None:
        if self.audio is not None:
            self.audio.close()
            self.audio = None

    async def _read(self, failure: type[Exception]) -> None:
        with contextlib.suppress(failure):
            async for message in self._control.messages:
                self._inbox.put_nowait(bytes(message.payload).decode("utf-8"))
        self._inbox.put_nowait(None)


class UdpAudio(asyncio.DatagramProtocol):
    """Opus over UDP, each packet encrypted by AES-CTR with its own header as the first counter block."""

    def __init__(self, key: bytes, nonce: bytes, deliver: Any) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        self._cipher: Callable[[bytes], Any] = lambda head: Cipher(algorithms.AES(key), modes.CTR(head)).encryptor()
        self._nonce = nonce
        self._deliver = deliver
        self._sent = 0
        self._received = 0
        self.rejected = 0
        """Datagrams that the firmware would not accept."""
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        """The socket is there."""
        self._transport = transport

    def send(self, opus: bytes) -> None:
        """Encrypt and send one packet."""
        self._sent += 1
        kind, flags, _, cookie, _, _ = _HEAD.unpack(self._nonce)
        head = _HEAD.pack(kind, flags, len(opus), cookie, 0, self._sent)
        if self._transport is not None:
            self._transport.sendto(head + self._cipher(head).update(opus))

    def datagram_received(self, data: bytes, address: Any) -> None:
        """Accept what the firmware accepts: the right type and length, and a higher number than the last."""
        if len(data) < _HEAD.size:
            self.rejected += 1
            return
        kind, _, size, _, _, number = _HEAD.unpack_from(data)
        if kind != 1 or len(data) != _HEAD.size + size or number <= self._received:
            self.rejected += 1
            return
        self._received = number
        self._deliver(self._cipher(data[: _HEAD.size]).update(data[_HEAD.size :]))

    def close(self) -> None:
        """End the socket."""
        if self._transport is not None:
            self._transport.close()
