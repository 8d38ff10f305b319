"""Signing keys and releases, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from makers import NOTES, REGION, Maker, make_brand, upload

from entendre.core.errors import (
    AlreadyExistsError,
    ConflictError,
    EntendreError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StaleError,
)
from entendre.store.audit import first_broken
from entendre.store.database import Database


@pytest.fixture
async def maker(database: Database, tmp_path: Path) -> Maker:
    await make_brand(database)
    await make_brand(database, "other")
    return Maker(database, tmp_path / "artifacts")


async def test_from_key_to_published_release(database: Database, maker: Maker) -> None:
    release = await maker.published("2.0.0", minimum="1.2")
    assert (release.state, release.number, release.product, release.product_name) == (
        "published",
        "2.0.0",
        "acme-lark",
        "lark",
    )
    assert release.signing_key == (await maker.releases.keys("acme"))[0].fingerprint
    assert await maker.releases.releases("acme", product="lark") == (release,)
    assert await maker.releases.releases("acme", product="acme-lark") == (release,)
    assert await maker.releases.releases("acme", after=release.id) == ()

    def audited(connection: object) -> list[str]:
        assert first_broken(connection, REGION) is None  # type: ignore[arg-type]
        rows = connection.execute("SELECT act FROM audit ORDER BY seq").fetchall()  # type: ignore[attr-defined]
        return [str(row[0]) for row in rows]

    assert await database.read(audited) == [
        *("artifact.uploaded", "signing_key.added", "release.created", "release.published")
    ]


async def test_a_release_needs_a_signature_of_the_brands_own_keys(maker: Maker) -> None:
    content = b"x"
    await upload(maker.artifacts, content)
    text = maker.manifest("1.0", content)
    with pytest.raises(ForbiddenError, match="no signing key"):
        await maker.releases.create("acme", text, maker.sign(text), NOTES, by="test")
    stranger = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    await maker.releases.add_key("acme", "stranger", stranger, by="test")
    await maker.releases.add_key("other", "factory", maker.public_key(), by="test")
    with pytest.raises(ForbiddenError, match="None of"):
        await maker.releases.create("acme", text, maker.sign(text), NOTES, by="test")
    await maker.releases.add_key("acme", "factory", maker.public_key(), by="test")
    for wrong in (b"", b"\0" * 64, maker.key.sign(text.encode()), maker.sign(text + " ")):
        with pytest.raises(ForbiddenError):
            await maker.releases.create("acme", text, wrong, NOTES, by="test")
    assert (await maker.releases.create("acme", text, maker.sign(text), NOTES, by="test")).state == "draft"


async def test_a_revoked_key_signs_nothing_more(maker: Maker) -> None:
    await maker.published("1.0")
    revoked = await maker.releases.revoke_key("acme", "factory", by="test")
    again = await maker.releases.revoke_key("acme", revoked.id, by="test")
    assert revoked.revoked_at_s == again.revoked_at_s is not None
    with pytest.raises(ForbiddenError):
        await maker.published("1.1")
    with pytest.raises(NotFoundError):
        await maker.releases.revoke_key("other", revoked.id, by="test")


async def test_what_is_missing_or_wrong_is_named(maker: Maker) -> None:
    await maker.releases.add_key("acme", "factory", maker.public_key(), by="test")

    async def refused(text: str, notes: str = NOTES) -> EntendreError:
        with pytest.raises(EntendreError) as raised:
            await maker.releases.create("acme", text, maker.sign(text), notes, by="test")
        return raised.value

    content = b"y"
    assert isinstance(await refused(maker.manifest("1.0", content)), ConflictError)
    await upload(maker.artifacts, content)
    assert isinstance(await refused(maker.manifest("1.0", content, product="nobody")), NotFoundError)
    assert isinstance(await refused(maker.manifest("1.0", content), "Other notes."), InvalidInputError)


async def test_a_number_is_one_release(maker: Maker) -> None:
    first = await maker.published("2.0.0")
    text = maker.manifest("2.0.0", b"firmware 2.0.0")
    assert (await maker.releases.create("acme", text, maker.sign(text), NOTES, by="test")).id == first.id
    other = maker.manifest("2.0.0", b"firmware 2.0.0", channel="beta")
    with pytest.raises(AlreadyExistsError):
        await maker.releases.create("acme", other, maker.sign(other), NOTES, by="test")


async def test_withdrawn_is_for_ever_and_versions_are_checked(maker: Maker) -> None:
    release = await maker.published("2.0.0")
    with pytest.raises(StaleError):
        await maker.releases.withdraw("acme", release.id, by="test", version=release.version - 1)
    withdrawn = await maker.releases.withdraw("acme", release.id, by="test", version=release.version)
    assert withdrawn.state == "withdrawn"
    assert await maker.releases.withdraw("acme", release.id, by="test") == withdrawn
    with pytest.raises(ConflictError):
        await maker.releases.publish("acme", release.id, by="test")


async def test_brands_know_nothing_of_each_other(maker: Maker) -> None:
    release = await maker.published("2.0.0")
    assert await maker.releases.keys("other") == ()
    assert await maker.releases.releases("other") == ()
    for act in (maker.releases.publish, maker.releases.withdraw):
        with pytest.raises(NotFoundError):
            await act("other", release.id, by="test")
    with pytest.raises(NotFoundError):
        await maker.releases.release("other", release.id)
    with pytest.raises(NotFoundError):
        await maker.artifacts.artifact("other", (await maker.artifacts.artifacts("acme"))[0].id)


async def test_keys_are_keys_and_have_one_name(maker: Maker) -> None:
    with pytest.raises(InvalidInputError):
        await maker.releases.add_key("acme", "short", b"123", by="test")
    await maker.releases.add_key("acme", "factory", maker.public_key(), by="test")
    with pytest.raises(AlreadyExistsError):
        await maker.releases.add_key("acme", "again", maker.public_key(), by="test")
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(AlreadyExistsError):
        await maker.releases.add_key("acme", "factory", other, by="test")
