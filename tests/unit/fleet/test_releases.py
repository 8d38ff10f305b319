"""Manifests: one canonical text, strictly read."""

from __future__ import annotations

import json

import pytest

from entendre.core.errors import InvalidInputError, TooLargeError
from entendre.fleet.releases import (
    DOMAIN,
    MAX_MANIFEST_BYTES,
    Manifest,
    ManifestArtifact,
    fits_board,
    hash_of_notes,
    manifest_text,
    read_manifest,
    signed_message,
)

SHA = "ab" * 32


def manifest(**values: object) -> Manifest:
    given: dict[str, object] = {
        "product": "lark",
        "kind": "firmware",
        "number": "2.0.0",
        "channel": "stable",
        "artifacts": (ManifestArtifact("app.bin", SHA, 10, "esp32-s3"),),
        "notes_sha256": hash_of_notes("Better hearing."),
    }
    return Manifest(**(given | values))  # type: ignore[arg-type]


def test_a_manifest_is_read_as_it_was_written() -> None:
    text = manifest_text(manifest(minimum="1.4"))
    assert read_manifest(text) == manifest(minimum="1.4")
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_a_signature_is_bound_to_its_purpose() -> None:
    assert signed_message("{}") == DOMAIN + b"{}"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + " ",
        lambda text: text.replace(":", ": "),
        lambda text: text.replace('"minimum":"",', ""),
        lambda text: text.replace("{", '{"also":1,', 1),
        lambda text: json.dumps(dict(reversed(json.loads(text).items())), separators=(",", ":")),
        lambda text: text.replace("2.0.0", "two"),
        lambda text: text.replace(SHA, SHA.upper()),
        lambda text: text.replace('"size_bytes":10', '"size_bytes":0'),
        lambda text: text.replace("app.bin", "../app.bin"),
        lambda text: text.replace('"format":1', '"format":2'),
        lambda text: "[" * 100_000,
        lambda text: "",
    ],
)
def test_any_other_text_is_refused(change: object) -> None:
    text = manifest_text(manifest())
    changed = change(text)  # type: ignore[operator]
    assert changed != text
    with pytest.raises((InvalidInputError, TooLargeError)):
        read_manifest(changed)


def test_an_artifact_is_named_once() -> None:
    one = ManifestArtifact("app.bin", SHA, 10)
    with pytest.raises(InvalidInputError, match="twice"):
        manifest_text(manifest(artifacts=(one, one)))


def test_a_manifest_has_a_bound() -> None:
    with pytest.raises(TooLargeError, match=str(MAX_MANIFEST_BYTES)):
        read_manifest("x" * (MAX_MANIFEST_BYTES + 1))


def test_boards() -> None:
    one, any_board = ManifestArtifact("a", SHA, 1, "box"), ManifestArtifact("a", SHA, 1)
    assert [fits_board(one, each) for each in ("box", "bread", "")] == [True, False, True]
    assert fits_board(any_board, "box")
