"""The API's operations in groups. Written by scripts/write_client.py."""

from __future__ import annotations

from entendre.clients.api.groups.description import Description
from entendre.clients.api.transport import Transport


class Groups:
    """Every group of operations."""

    def __init__(self, transport: Transport) -> None:
        self.description = Description(transport)
