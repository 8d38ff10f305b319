"""Rules of telemetry: how large a message and a batch may be, and how often a device may send."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from entendre.core.errors import InvalidInputError, TooLargeError
from entendre.core.plain import is_plain

MAX_MESSAGE_BYTES = 256 * 1024
"""Of one message's body, as JSON."""
MAX_MESSAGES = 500
"""Messages of one batch."""
MAX_BATCH_BYTES = 1024 * 1024
"""Of all bodies of one batch."""
MAX_ID_CHARS = 64
MESSAGES_PER_S = 100.0
"""What one device may send in the long run."""
BURST_MESSAGES = 1_000
"""What it may send at once, as after it was offline."""
KEPT_DAYS = 30.0
"""How long rows are kept where the brand has no rule."""
MAX_AHEAD_S = 86_400.0
"""A device's clock may be ahead by this much; beyond it the time of receipt counts."""


def body_text(body: Any) -> str:
    """A message's body as it is kept. Raises: InvalidInputError, TooLargeError."""
    try:
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except (ValueError, TypeError, RecursionError):
        raise InvalidInputError("A message's body is no JSON that can be kept.") from None
    if size > MAX_MESSAGE_BYTES:
        raise TooLargeError(f"A message has at most {MAX_MESSAGE_BYTES // 1024} KB.")
    if "\\u0000" in text and not is_plain(body):
        raise InvalidInputError("A message may not contain the character NUL.")
    return text


def checked_batch(count: int, bodies: Sequence[str]) -> None:
    """Refuse too much at once. Raises: InvalidInputError, TooLargeError."""
    if not count:
        raise InvalidInputError("There is no message.")
    if count > MAX_MESSAGES:
        raise TooLargeError(f"A batch has at most {MAX_MESSAGES} messages.")
    if sum(len(each) for each in bodies) > MAX_BATCH_BYTES:
        raise TooLargeError(f"A batch has at most {MAX_BATCH_BYTES // 1024} KB.")


def checked_id(message: str) -> str:
    """A message's id as its device chose it. Raises: InvalidInputError."""
    if not 0 < len(message) <= MAX_ID_CHARS or not message.isprintable():
        raise InvalidInputError(f"A message's id has 1 to {MAX_ID_CHARS} printable characters.")
    return message


def time_of(at_s: float | None, received_at_s: float) -> float:
    """When a message was made: as its device says, unless that can't be."""
    return at_s if at_s is not None and 0 < at_s <= received_at_s + MAX_AHEAD_S else received_at_s
