"""What an operator can set of the Realtime gateway, and what bounds each connection."""

from __future__ import annotations

from dataclasses import dataclass

SEND_TIMEOUT_S = 10.0
"""A client that takes nothing for this long is dropped; what waits for it is bounded by the socket's buffer."""
TOOL_TIMEOUT_S = 5.0
"""How long a client's tool may take before the action counts as failed."""
SWEEP_S = 15.0
"""How often silent connections are looked for."""
HEAR_PIECE_BYTES = 32_000
"""Most house audio (1 s) heard before other connections get their turn."""
MIN_COMMIT_S = 0.1
"""Less audio than this cannot be committed. Source: OpenAI's `input_audio_buffer_commit_empty`."""
MAX_CALLS = 32
"""Function calls of one connection that may wait for their output."""


@dataclass(frozen=True, slots=True)
class RealtimeSettings:
    """Defaults for clients that do not say otherwise.

    `idle_timeout_s`: silence after which a connection is closed. `reply_lead_s`: how far ahead of playing reply audio
    is sent; a client that buffers rides out that much of a bad network, and drops it on `speech_started`.
    """

    language: str = "en"
    room: str | None = None
    model: str = "entendre"
    voice: str = "default"
    reply_lead_s: float = 1.0
    idle_timeout_s: float = 3600.0
    max_connections: int = 20_000
