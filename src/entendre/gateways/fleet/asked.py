"""What devices are asked and told, the same on every connection that carries it, and the answers that are awaited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from entendre.core.errors import OfflineError
from entendre.ports.commands import CommandAnswer, CommandRecord
from entendre.wire.fleet_messages import CommandAnswered


def direct(name: str, payload: Any, timeout_s: float) -> dict[str, Any]:
    """A command to do now or not at all."""
    return {"name": name, "payload": payload, "mode": "direct", "timeout_s": timeout_s}


def queued(command: CommandRecord) -> dict[str, Any]:
    """A command that is handed over until it is answered."""
    return {
        "name": command.name,
        "payload": json.loads(command.payload),
        "mode": "queued",
        "expires_at_s": command.expires_at_s,
        "delivery": command.deliveries,
    }


def desired(patch: Any, version: int, *, replaces: bool) -> dict[str, Any]:
    """A change of the desired section."""
    return {"replaced" if replaces else "patch": patch, "version": version}


class Calls:
    """Direct commands of one connection whose answers somebody waits for."""

    def __init__(self) -> None:
        self._calls: dict[str, asyncio.Future[CommandAnswer]] = {}

    @contextmanager
    def waiting(self, command: str) -> Iterator[asyncio.Future[CommandAnswer]]:
        """The answer to a command, awaited until the end of the block."""
        answer: asyncio.Future[CommandAnswer] = asyncio.get_running_loop().create_future()
        self._calls[command] = answer
        try:
            yield answer
        finally:
            self._calls.pop(command, None)

    def answered(self, answer: CommandAnswered) -> bool:
        """Whether somebody waited for an answer, who now has it."""
        waiting = self._calls.get(answer.command)
        if waiting is not None and not waiting.done():
            waiting.set_result(CommandAnswer(answer.status, answer.result))
        return waiting is not None

    def gone(self) -> None:
        """The connection is down: who waits for an answer is told."""
        for waiting in self._calls.values():
            if not waiting.done():
                waiting.set_exception(OfflineError("The device went away."))
                waiting.exception()  # seen: nobody may wait any more
        self._calls.clear()
