"""When to ask again, and after how long: only what is safe to repeat, with growing random pauses."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from entendre.clients.api.errors import ApiError
from entendre.core.errors import EntendreError

AGAIN_STATUSES = frozenset({429, 502, 503, 504})
NEVER_AGAIN = frozenset({"no_answer", "offline", "too_large"})
"""Codes that waiting does not mend: the caller has to decide."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How persistent a client is. `attempts` counts the first one too."""

    attempts: int = 4
    first_s: float = 0.25
    longest_s: float = 10.0
    patience_s: float = 60.0
    """A `Retry-After` beyond this is the caller's to wait for."""
    told: Callable[[EntendreError], None] = lambda error: None
    """Called with what went wrong before each pause."""

    def pause_s(self, attempt: int, retry_after_s: float | None) -> float | None:
        """How long to wait after this attempt, from 1; None: give up."""
        if attempt >= self.attempts:
            return None
        if retry_after_s is not None:
            if retry_after_s > self.patience_s:
                return None
            return retry_after_s * random.uniform(1.0, 1.25)
        return random.uniform(0.5, 1.0) * min(self.longest_s, self.first_s * 2.0 ** (attempt - 1))


def may_repeat(method: str, has_key: bool) -> bool:
    """Whether a request may be sent a second time although the first one may have had effect."""
    return method in ("GET", "HEAD") or has_key


def worth_repeating(error: ApiError) -> bool:
    """Whether a refusal may go away by itself. A conflict with a time to wait: the first request is under way."""
    if error.status == 409:
        return error.retry_after_s is not None and error.code == "conflict"
    return error.status in AGAIN_STATUSES and error.code not in NEVER_AGAIN
