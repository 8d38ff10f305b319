"""Idle connections: what one costs in memory, and what many do to the server's event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from entendre.bench.figures import percentile
from entendre.bench.machine import describe_machine, resident_bytes
from entendre.bench.server import MeasuredServer, measured_server
from entendre.core.errors import InvalidInputError

WARM_UP = 50
"""Connections opened and closed first, so that what is imported or cached once is not counted."""
AT_ONCE = 50
SETTLE_S = 2.0
PROBES = 400
PROBE_EVERY_S = 0.01


@dataclass(frozen=True, slots=True)
class IdleOptions:
    """How many connections to hold."""

    connections: int = 1_000
    key: str = ""


async def measure_idle(options: IdleOptions, show: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """The report. Raises: InvalidInputError where the system does not tell a process's memory."""
    _allow_files(options.connections + 100)
    with measured_server(None, "--set", f"limits.connections={options.connections + 200}") as server:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), headers=_headers(options.key)
        ) as http:
            await _close(await _open(http, server, WARM_UP))
            await asyncio.sleep(SETTLE_S)
            before = resident_bytes(server.pid)
            if not before:
                raise InvalidInputError("This system does not tell how much memory a process uses.")
            started_s = time.monotonic()
            sockets = await _open(http, server, options.connections)
            opened_s = time.monotonic() - started_s
            await asyncio.sleep(SETTLE_S)
            after = resident_bytes(server.pid)
            lags = await _lags(http, server)
            await _close(sockets)
        show(f"{options.connections} connections opened in {opened_s:.1f} s")
        return {
            "connections": options.connections,
            "kib_per_connection": round((after - before) / 1024 / options.connections, 1),
            "loop_lag_p99_s": percentile(lags, 99),
            "loop_lag_p50_s": percentile(lags, 50),
            "opened_per_s": round(options.connections / opened_s),
            "resident_mb": round(after / 1e6),
            "machine": describe_machine(),
        }


async def _open(
    http: aiohttp.ClientSession, server: MeasuredServer, count: int
) -> list[aiohttp.ClientWebSocketResponse]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> aiohttp.ClientWebSocketResponse:
        async with gate:
            socket = await http.ws_connect(f"{server.url}/v1/realtime?model=entendre", autoping=False)
            await socket.receive()  # session.created: the server's side is complete
            return socket

    return list(await asyncio.gather(*(one() for _ in range(count))))


async def _close(sockets: list[aiohttp.ClientWebSocketResponse]) -> None:
    await asyncio.gather(*(socket.close() for socket in sockets))


async def _lags(http: aiohttp.ClientSession, server: MeasuredServer) -> list[float]:
    """Round trips of pings on one more connection: the server's loop lag plus the network's and our own."""
    lags: list[float] = []
    async with http.ws_connect(f"{server.url}/v1/realtime?model=entendre", autoping=False) as socket:
        await socket.receive()
        for _ in range(PROBES):
            asked_s = time.monotonic()
            await socket.ping()
            while (await socket.receive()).type is not aiohttp.WSMsgType.PONG:
                continue
            lags.append(time.monotonic() - asked_s)
            await asyncio.sleep(PROBE_EVERY_S)
    return lags


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _allow_files(needed: int) -> None:
    """Raise this process's limit of open files, which the server inherits, as far as the system lets it."""
    with contextlib.suppress(ImportError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < needed:
            allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            if allowed < needed:
                raise InvalidInputError(f"This system allows {allowed} open files; {needed} are needed.")
