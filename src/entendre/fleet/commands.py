"""Rules of commands: what may be asked of a device, for how long it waits, and how it ends."""

from __future__ import annotations

import json
import re
from typing import Any

from entendre.core.errors import InvalidInputError, TooLargeError
from entendre.core.plain import is_plain
from entendre.ports.commands import CommandState

MAX_QUEUED = 50
"""Commands that may wait for one device."""
MAX_PAYLOAD_BYTES = 64 * 1024
"""Of a command's payload, and of its answer, as JSON."""
DEFAULT_TTL_S = 3_600.0
MAX_TTL_S = 2 * 86_400.0
LOCK_S = 60.0
"""A command that was delivered and not answered is delivered again after this."""
DEFAULT_TIMEOUT_S = 30.0
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 1.0, 300.0
MAX_NAME_CHARS = 64
STATUS_OK = 200
STATUS_FAILED = 500

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def checked_name(name: str) -> str:
    """The name of a command. Raises: InvalidInputError."""
    if not _NAME.fullmatch(name):
        raise InvalidInputError("A command's name has letters, digits, dots, dashes and underscores, at most 64.")
    return name


def payload_text(payload: Any) -> str:
    """A payload as it is kept. Raises: InvalidInputError, TooLargeError."""
    try:
        text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError):
        raise InvalidInputError("The payload is no JSON that can be kept.") from None
    if size > MAX_PAYLOAD_BYTES:
        raise TooLargeError(f"A payload has at most {MAX_PAYLOAD_BYTES // 1024} KB.")
    if "\\u0000" in text and not is_plain(payload):
        raise InvalidInputError("A payload may not contain the character NUL.")
    return text


def ttl(seconds: float | None) -> float:
    """How long a queued command may wait. Raises: InvalidInputError."""
    if seconds is None:
        return DEFAULT_TTL_S
    if not 1.0 <= seconds <= MAX_TTL_S:
        raise InvalidInputError(f"ttl_s is from 1 to {MAX_TTL_S:g} seconds.")
    return seconds


def timeout(seconds: float | None) -> float:
    """How long to wait for the answer to a direct command. Raises: InvalidInputError."""
    if seconds is None:
        return DEFAULT_TIMEOUT_S
    if not MIN_TIMEOUT_S <= seconds <= MAX_TIMEOUT_S:
        raise InvalidInputError(f"timeout_s is from {MIN_TIMEOUT_S:g} to {MAX_TIMEOUT_S:g} seconds.")
    return seconds


def outcome(status: int) -> CommandState:
    """How a command ended that a device answered with this status, as of HTTP."""
    return "done" if 200 <= status < 300 else "failed"
