"""Sans-IO codec of the OpenAI Realtime protocol: one object per connection, text in and out, no clock, no socket.

Source: https://platform.openai.com/docs/api-reference/realtime and the types of the `openai` package 2.x and 3.x.
"""

from __future__ import annotations

import json

from entendre.wire.failure import ProtocolFailed
from entendre.wire.realtime_client import MAX_EVENT_BYTES, Received, SessionUpdated, read_event
from entendre.wire.realtime_server import ServerEvent, event_json
from entendre.wire.realtime_session import Dialect, SessionConfig

__all__ = ["MAX_EVENT_BYTES", "Dialect", "RealtimeCodec", "SessionConfig"]


class RealtimeCodec:
    """Reads a client's events and writes the server's; keeps the session's settings and numbers events and items."""

    __slots__ = ("config", "dialect", "name", "numbered")

    def __init__(self, name: str, dialect: Dialect = Dialect.CURRENT, config: SessionConfig | None = None) -> None:
        self.name = name
        self.dialect = dialect
        self.config = config or SessionConfig()
        self.numbered = 0

    def new_id(self, kind: str) -> str:
        """A fresh id such as `item_<connection>_3`."""
        self.numbered += 1
        return f"{kind}_{self.name}_{self.numbered}"

    def receive(self, text: str) -> Received | ProtocolFailed:
        """One message of the client; an accepted session update is already in `config`."""
        received = read_event(text, self.config, self.new_id("item"))
        if isinstance(received, Received) and isinstance(received.event, SessionUpdated):
            self.config = received.event.config
        return received

    def send(self, event: ServerEvent) -> str | None:
        """The event as JSON text, None where this dialect has no such event."""
        document = event_json(event, self.new_id("event"), self.dialect)
        return None if document is None else json.dumps(document, separators=(",", ":"))
