"""Operations on a real socket over a real database, and a client of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, web

from entendre.store import Database
from entendre.store.requests import Requests
from entendre.system import SystemClock
from entendre.web.api.bind import bind
from entendre.web.api.operation import Operation
from entendre.web.api.routes import OPERATIONS
from entendre.web.api.services import ApiServices
from entendre.web.faults import faults
from entendre.web.server import listen


@dataclass
class ApiSite:
    """A server with operations, and a client."""

    services: ApiServices
    database: Database
    runner: web.AppRunner
    port: int
    client: ClientSession

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **options: Any
    ) -> tuple[int, Any, Any]:
        """Status, decoded body and headers of an answer."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            options["json"] = body
        url = f"http://127.0.0.1:{self.port}/api/v1{path}"
        async with self.client.request(method, url, headers=headers, **options) as answer:
            text = await answer.text()
            return answer.status, (await answer.json() if text else None), answer.headers

    async def close(self) -> None:
        """Stop serving."""
        await self.client.close()
        await self.runner.cleanup()
        await self.database.close()


async def serve_api(folder: Path, operations: Sequence[Operation] = OPERATIONS, **changes: Any) -> ApiSite:
    """Serve operations over a new database in a folder."""
    database = Database(folder / "entendre.db")
    clock = SystemClock()

    async def no_key(token: str) -> None:
        return None

    values: dict[str, Any] = {
        "clock": clock,
        "region": "home",
        "verify_key": no_key,
        "require_key": False,
        "requests": Requests(database, clock, "home"),
    }
    services = ApiServices(**(values | changes))
    app = web.Application(middlewares=[faults])
    bind(app, services, operations)
    runner, port = await listen(app, "127.0.0.1", 0)
    return ApiSite(services, database, runner, port, ClientSession())
