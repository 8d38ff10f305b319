"""A reconnect storm: peers of every bad kind come and go, a good one goes on being answered, and memory is watched."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from entendre.bench.figures import percentile
from entendre.bench.machine import describe_machine, resident_bytes
from entendre.bench.server import MeasuredServer, measured_server

PEERS = 16
WARM_UP_S = 20.0
"""The first part fills caches and the allocator's arenas; growth is counted after it."""
SAMPLE_EVERY_S = 5.0
ASK_EVERY_S = 1.0
PEER_S = 10.0
_QUESTION = {"text": "turn on the kitchen lights", "act": False}


@dataclass(frozen=True, slots=True)
class StormOptions:
    """How long it blows."""

    minutes: float = 10.0
    seed: int = 1


async def measure_storm(options: StormOptions, show: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The report: how much memory grew per thousand connections, and how the good client fared."""
    with measured_server() as server:
        storm = _Storm(server, random.Random(options.seed))
        until_s = time.monotonic() + options.minutes * 60
        peers = [asyncio.create_task(storm.blow(until_s)) for _ in range(PEERS)]
        good = asyncio.create_task(storm.ask(until_s))
        sizes: list[tuple[float, int, int]] = []
        while time.monotonic() < until_s:
            await asyncio.sleep(min(SAMPLE_EVERY_S, max(0.0, until_s - time.monotonic())))
            sizes.append((time.monotonic(), storm.connections, resident_bytes(server.pid)))
            show(f"{storm.connections} connections, {sizes[-1][2] / 1e6:.0f} MB, {storm.failed} unanswered")
        await asyncio.gather(*peers, good)
        return _report(storm, sizes, options)


def _report(storm: _Storm, sizes: list[tuple[float, int, int]], options: StormOptions) -> dict[str, Any]:
    warm = [each for each in sizes if each[0] - sizes[0][0] >= min(WARM_UP_S, options.minutes * 20)] or sizes
    (_, first_count, first), (_, last_count, last) = warm[0], warm[-1]
    per_thousand = (last - first) / 1024 / max(1, last_count - first_count) * 1000
    return {
        "minutes": options.minutes,
        "connections": storm.connections,
        "resident_mb_after_warm_up": round(first / 1e6, 1),
        "resident_mb_at_end": round(last / 1e6, 1),
        "growth_kib_per_1000_connections": round(per_thousand, 1),
        "answered": len(storm.took),
        "unanswered": storm.failed,
        "answer_p50_s": percentile(storm.took, 50),
        "answer_p99_s": percentile(storm.took, 99),
        "machine": describe_machine(),
    }


class _Storm:
    """Every kind of bad peer, chosen at random, and the good client beside them."""

    def __init__(self, server: MeasuredServer, chance: random.Random) -> None:
        self._server = server
        self._chance = chance
        where = urlsplit(server.url)
        self._host, self._port = where.hostname or "127.0.0.1", where.port or 80
        self.connections = 0
        self.failed = 0
        self.took: list[float] = []
        self._kinds = (
            self._random_bytes,
            self._half_closed,
            self._giant_length,
            self._nonsense_events,
            self._silence,
            self._sudden_end,
        )

    async def blow(self, until_s: float) -> None:
        """One bad peer after another."""
        while time.monotonic() < until_s:
            self.connections += 1
            with contextlib.suppress(OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(PEER_S):
                    await self._chance.choice(self._kinds)()

    async def ask(self, until_s: float) -> None:
        """The good client."""
        async with aiohttp.ClientSession() as http:
            while time.monotonic() < until_s:
                started_s = time.monotonic()
                try:
                    async with http.post(f"{self._server.url}/v1/ask", json=_QUESTION) as answer:
                        answer.raise_for_status()
                        await answer.read()
                    self.took.append(time.monotonic() - started_s)
                except (aiohttp.ClientError, OSError):
                    self.failed += 1
                await asyncio.sleep(ASK_EVERY_S)

    async def _random_bytes(self) -> None:
        await self._send_and_read(self._chance.randbytes(self._chance.randint(1, 4096)))

    async def _half_closed(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(b"POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        writer.write_eof()
        await reader.read()
        writer.close()

    async def _giant_length(self) -> None:
        head = f"POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**12}\r\n\r\n"
        await self._send_and_read(head.encode())

    async def _nonsense_events(self) -> None:
        events = [b"{}", b"[" * 2000, b'{"type": 7}', b'{"type": "input_audio_buffer.append", "audio": "!!"}']
        await self._in_session([_frame(self._chance.choice(events), self._chance) for _ in range(20)])

    async def _silence(self) -> None:
        audio = base64.b64encode(bytes(48_000)).decode()
        event = json.dumps({"type": "input_audio_buffer.append", "audio": audio}).encode()
        await self._in_session([_frame(event, self._chance)] * 3)

    async def _sudden_end(self) -> None:
        await self._in_session([], abort=True)

    async def _send_and_read(self, data: bytes) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write(data)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.read()
        writer.close()

    async def _in_session(self, frames: list[bytes], *, abort: bool = False) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        for frame in frames:
            writer.write(frame)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(65_536)
        if abort:
            writer.transport.abort()
        else:
            writer.close()


def _frame(text: bytes, chance: random.Random) -> bytes:
    """A client's WebSocket text frame (RFC 6455, 5.2)."""
    mask = chance.randbytes(4)
    size = len(text)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    if size > 0xFFFF:
        length = b"\xff" + size.to_bytes(8, "big")
    repeated = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(text, "big") ^ int.from_bytes(repeated, "big")
    return b"\x81" + length + mask + masked.to_bytes(size, "big")
