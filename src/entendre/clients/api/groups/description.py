"""The operations of description. Written by scripts/write_client.py."""

from __future__ import annotations

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route

ROUTES = {
    "get_openapi": Route("get_openapi", "GET", "/openapi.json"),
}


class Description(Group):
    """The operations of description."""

    async def get_openapi(self) -> dict[str, object]:
        """This API in OpenAPI 3.1. Raises: ApiError."""
        return await self._ask(ROUTES["get_openapi"], dict[str, object], {})
