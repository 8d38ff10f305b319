"""The operations of releases. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.releases import ArtifactRecord, ReleaseRecord, SigningKey
from entendre.web.api.paging import Page
from entendre.web.api.releases import Keys

ROUTES = {
    "list_signing_keys": Route("list_signing_keys", "GET", "/brands/{brand}/signing-keys"),
    "add_signing_key": Route("add_signing_key", "POST", "/brands/{brand}/signing-keys", idempotent=True),
    "revoke_signing_key": Route("revoke_signing_key", "POST", "/brands/{brand}/signing-keys/{key}/revoke"),
    "list": Route("list_releases", "GET", "/brands/{brand}/releases"),
    "create": Route("create_release", "POST", "/brands/{brand}/releases", idempotent=True),
    "get": Route("get_release", "GET", "/brands/{brand}/releases/{release}"),
    "publish": Route("publish_release", "POST", "/brands/{brand}/releases/{release}/publish"),
    "withdraw": Route("withdraw_release", "POST", "/brands/{brand}/releases/{release}/withdraw"),
    "list_artifacts": Route("list_artifacts", "GET", "/brands/{brand}/artifacts"),
    "get_artifact": Route("get_artifact", "GET", "/brands/{brand}/artifacts/{artifact}"),
}


class Releases(Group):
    """The operations of releases."""

    async def list_signing_keys(self, brand: str) -> Keys:
        """The keys that may sign. Raises: ApiError."""
        return await self._ask(ROUTES["list_signing_keys"], Keys, {"brand": brand})

    async def add_signing_key(
        self, brand: str, *, name: str, public_key: bytes, idempotency_key: str | None = None
    ) -> SigningKey:
        """Let a key sign. Raises: ApiError."""
        return await self._ask(
            ROUTES["add_signing_key"],
            SigningKey,
            {"brand": brand},
            body={"name": name, "public_key": public_key},
            idempotency_key=idempotency_key,
        )

    async def revoke_signing_key(self, brand: str, key: str) -> SigningKey:
        """Let a key, by id or name, sign no more; what it signed is offered no more. Raises: ApiError."""
        return await self._ask(ROUTES["revoke_signing_key"], SigningKey, {"brand": brand, "key": key})

    def list(
        self, brand: str, *, limit: int | None = None, after: str | None = None, product: str | None = None
    ) -> AsyncIterator[ReleaseRecord]:
        """The releases of a brand. Raises: ApiError."""
        return self._every(
            ROUTES["list"], Page[ReleaseRecord], {"brand": brand}, {"limit": limit, "after": after, "product": product}
        )

    async def create(
        self,
        brand: str,
        *,
        manifest: str,
        signature: bytes,
        notes: str | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> ReleaseRecord:
        """Make a release of what was signed. Raises: ApiError."""
        return await self._ask(
            ROUTES["create"],
            ReleaseRecord,
            {"brand": brand},
            body={"manifest": manifest, "signature": signature, "notes": notes},
            idempotency_key=idempotency_key,
        )

    async def get(self, brand: str, release: str) -> ReleaseRecord:
        """A release. Raises: ApiError."""
        return await self._ask(ROUTES["get"], ReleaseRecord, {"brand": brand, "release": release})

    async def publish(self, brand: str, release: str, *, if_match: str | int | None = None) -> ReleaseRecord:
        """Let rollouts use a release. Raises: ApiError."""
        return await self._ask(
            ROUTES["publish"], ReleaseRecord, {"brand": brand, "release": release}, if_match=if_match
        )

    async def withdraw(self, brand: str, release: str, *, if_match: str | int | None = None) -> ReleaseRecord:
        """Offer a release to nobody any more. Raises: ApiError."""
        return await self._ask(
            ROUTES["withdraw"], ReleaseRecord, {"brand": brand, "release": release}, if_match=if_match
        )

    def list_artifacts(
        self, brand: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[ArtifactRecord]:
        """The files of a brand. Raises: ApiError."""
        return self._every(
            ROUTES["list_artifacts"], Page[ArtifactRecord], {"brand": brand}, {"limit": limit, "after": after}
        )

    async def get_artifact(self, brand: str, artifact: str) -> ArtifactRecord:
        """How much of a file was received; Upload-Offset says it too, also to HEAD. Raises: ApiError."""
        return await self._ask(ROUTES["get_artifact"], ArtifactRecord, {"brand": brand, "artifact": artifact})
