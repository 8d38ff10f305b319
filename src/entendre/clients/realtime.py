"""A client of `/v1/realtime`: the OpenAI Realtime protocol over WebSocket, as our speaker and benchmarks speak it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from entendre.core.errors import EntendreError, InvalidInputError, UnauthorizedError

MAX_EVENT_BYTES = 16 * 1024 * 1024
HEARTBEAT_S = 20.0
TURN_EVENT = "entendre.turn"
"""Our own event with a turn's trace; a server sends it to clients that ask for it in `include`."""


class ConnectionFailedError(EntendreError):
    """A server could not be reached, or ended the connection."""

    code = "connection_failed"
    retryable = True


@dataclass(frozen=True, slots=True)
class RealtimeOptions:
    """What a client asks of its session. `detection`: "semantic_vad", "server_vad", or None for push to talk."""

    rate_hz: int = 24_000
    language: str | None = None
    detection: str | None = "semantic_vad"
    include: tuple[str, ...] = (TURN_EVENT,)


def append_message(pcm16: bytes) -> str:
    """The message that sends microphone audio; may be made once and sent often."""
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm16).decode("ascii")})


def session_update(options: RealtimeOptions) -> dict[str, Any]:
    """The message that sets a session up."""
    audio_format = {"type": "audio/pcm", "rate": options.rate_hz}
    heard: dict[str, Any] = {
        "format": audio_format,
        "turn_detection": {"type": options.detection} if options.detection else None,
        "transcription": {"model": "default"} | ({"language": options.language} if options.language else {}),
    }
    session = {"type": "realtime", "audio": {"input": heard, "output": {"format": audio_format}}}
    return {"type": "session.update", "session": session | {"include": list(options.include)}}


class RealtimeClient:
    """One connection. Use as `async with RealtimeClient(url) as client: async for event in client: …`."""

    def __init__(self, url: str, *, key: str = "", options: RealtimeOptions | None = None) -> None:
        self.url = url.rstrip("/")
        self.options = options or RealtimeOptions()
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        """Connect and set the session up. Raises: ConnectionFailedError, UnauthorizedError."""
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        try:
            self._socket = await self._http.ws_connect(
                f"{self.url}/v1/realtime?model=entendre",
                headers=self._headers,
                max_msg_size=MAX_EVENT_BYTES,
                heartbeat=HEARTBEAT_S,
            )
            await self.send(session_update(self.options))
        except aiohttp.WSServerHandshakeError as error:
            await self._http.close()
            if error.status in (401, 403):
                raise UnauthorizedError("The server wants a key: set ENTENDRE_KEY or give --key.") from error
            raise ConnectionFailedError(f"{self.url} answered {error.status}.") from error
        except (aiohttp.ClientError, OSError) as error:
            await self._http.close()
            raise ConnectionFailedError(f"{self.url} can't be reached.", detail=str(error)) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        if self._socket is not None:
            await self._socket.close()
        if self._http is not None:
            await self._http.close()

    async def send(self, document: dict[str, Any]) -> None:
        """Send one event. Raises: ConnectionFailedError."""
        await self.send_text(json.dumps(document))

    async def send_text(self, text: str) -> None:
        """Send one event that is JSON already. Raises: ConnectionFailedError."""
        if self._socket is None:
            raise InvalidInputError("The client is not connected.")
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ConnectionFailedError("The server ended the connection.") from error

    async def append(self, pcm16: bytes) -> None:
        """Send microphone audio at the session's rate."""
        await self.send_text(append_message(pcm16))

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Events until the connection ends."""
        if self._socket is None:
            raise InvalidInputError("The client is not connected.")
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                yield json.loads(message.data)


def audio_of(event: dict[str, Any]) -> bytes:
    """The audio of a `response.output_audio.delta`."""
    return base64.b64decode(event["delta"])
