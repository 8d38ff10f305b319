"""What every codec returns instead of raising when a peer breaks its protocol."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProtocolFailed:
    """The peer's bytes can't be read any further; the connection must be closed.

    `code` is stable and documented in docs/errors.md; `message` names the fault without quoting the peer's bytes.
    """

    code: str
    message: str
