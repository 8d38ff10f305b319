"""Commands once in effect: however often one is delivered, it is done once, and its first answer is given again.

With a file also across a power cut: that a command was begun is on disk before it is done. One that was begun and not
ended is not done again; it is answered with `INTERRUPTED`, because whether it had effect is not known.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from entendre.clients.device.files import read_private, write_private

log = logging.getLogger(__name__)

OK, NOT_FOUND, FAILED, INTERRUPTED = 200, 404, 500, 520
REMEMBERED = 256
"""Commands whose answers are kept; many times a device's queue."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the device is to do. `id` names it however often it comes."""

    id: str
    name: str
    payload: Any


class CommandAnswer(msgspec.Struct, frozen=True):
    """How it went. `status`: as of HTTP, 200 for done."""

    status: int
    result: Any = None


Work = Callable[[Command], Awaitable[Any]]
"""Does a command and returns its result; a `CommandAnswer` says the status too."""


class CommandBook:
    """The commands that a device understands, and the answers that it gave. `file`: where they outlive the power."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._works: dict[str, Work] = {}
        known = read_private(file, dict[str, CommandAnswer | None]) if file is not None else None
        self._answers: OrderedDict[str, CommandAnswer | None] = OrderedDict(known or {})
        for begun in [each for each, answer in self._answers.items() if answer is None]:
            self._answers[begun] = CommandAnswer(INTERRUPTED, {"error": "The device was switched off meanwhile."})

    def on(self, name: str, work: Work) -> None:
        """Understand a command."""
        self._works[name] = work

    async def answer(self, command: Command) -> CommandAnswer | None:
        """Do it if it is new; None while the same one is being done."""
        if command.id in self._answers:
            return self._answers[command.id]
        self._note(command.id, None)
        answer = await self._done(command)
        self._note(command.id, answer)
        return answer

    async def _done(self, command: Command) -> CommandAnswer:
        work = self._works.get(command.name)
        if work is None:
            return CommandAnswer(NOT_FOUND, {"error": f"This device knows no command {command.name}."})
        try:
            result = await work(command)
        except Exception as error:  # noqa: BLE001 - a maker's handler: whatever it raises is the answer
            log.warning("command failed", extra={"command": command.name, "error": type(error).__name__})
            return CommandAnswer(FAILED, {"error": type(error).__name__})
        return result if isinstance(result, CommandAnswer) else CommandAnswer(OK, result)

    def _note(self, id_: str, answer: CommandAnswer | None) -> None:
        self._answers[id_] = answer
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
        if self._file is not None:
            write_private(self._file, self._answers)
