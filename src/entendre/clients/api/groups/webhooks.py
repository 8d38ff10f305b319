"""The operations of webhooks. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.web.api.paging import Page
from entendre.web.api.webhooks import Webhook, WebhookSecret, WebhookTest

ROUTES = {
    "create": Route("create_webhook", "POST", "/brands/{brand}/webhooks"),
    "list": Route("list_webhooks", "GET", "/brands/{brand}/webhooks"),
    "get": Route("get_webhook", "GET", "/brands/{brand}/webhooks/{webhook}"),
    "change": Route("change_webhook", "PATCH", "/brands/{brand}/webhooks/{webhook}"),
    "remove": Route("remove_webhook", "DELETE", "/brands/{brand}/webhooks/{webhook}"),
    "rotate_secret": Route("rotate_webhook_secret", "POST", "/brands/{brand}/webhooks/{webhook}/secret"),
    "test": Route("test_webhook", "POST", "/brands/{brand}/webhooks/{webhook}/test"),
}


class Webhooks(Group):
    """The operations of webhooks."""

    async def create(self, brand: str, *, url: str, topics: Sequence[str] | UnsetType = UNSET) -> WebhookSecret:
        """Have an address hear of a brand's changes from now on. Raises: ApiError."""
        return await self._ask(ROUTES["create"], WebhookSecret, {"brand": brand}, body={"url": url, "topics": topics})

    def list(self, brand: str, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[Webhook]:
        """Webhooks of a brand. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[Webhook], {"brand": brand}, {"limit": limit, "after": after})

    async def get(self, brand: str, webhook: str) -> Webhook:
        """One webhook, and how its deliveries go. Raises: ApiError."""
        return await self._ask(ROUTES["get"], Webhook, {"brand": brand, "webhook": webhook})

    async def change(
        self,
        brand: str,
        webhook: str,
        *,
        url: str | UnsetType | None = UNSET,
        topics: Sequence[str] | UnsetType | None = UNSET,
        enabled: bool | UnsetType | None = UNSET,
        if_match: str | int | None = None,
    ) -> Webhook:
        """Change a webhook, or enable it again. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"],
            Webhook,
            {"brand": brand, "webhook": webhook},
            body={"url": url, "topics": topics, "enabled": enabled},
            if_match=if_match,
        )

    async def remove(self, brand: str, webhook: str, *, if_match: str | int | None = None) -> None:
        """Remove a webhook. Raises: ApiError."""
        await self._do(ROUTES["remove"], {"brand": brand, "webhook": webhook}, if_match=if_match)

    async def rotate_secret(self, brand: str, webhook: str) -> WebhookSecret:
        """Give a webhook a new secret; the old one signs nothing more. Raises: ApiError."""
        return await self._ask(ROUTES["rotate_secret"], WebhookSecret, {"brand": brand, "webhook": webhook})

    async def test(self, brand: str, webhook: str) -> WebhookTest:
        """Send a webhook an empty delivery now. Raises: ApiError."""
        return await self._ask(ROUTES["test"], WebhookTest, {"brand": brand, "webhook": webhook})
