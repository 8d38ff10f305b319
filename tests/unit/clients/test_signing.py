"""Keys that sign releases."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from entendre.clients.signing import make_key, manifest_of, public_key_of, sign_manifest
from entendre.cloud.signatures import is_public_key, is_signed
from entendre.core.errors import InvalidInputError
from entendre.fleet.releases import read_manifest


def test_a_key_is_the_owners_alone_and_signs(tmp_path: Path) -> None:
    file, image = tmp_path / "factory.pem", tmp_path / "app.bin"
    image.write_bytes(b"firmware")
    public = make_key(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert public_key_of(file) == public
    assert is_public_key(public)
    text = manifest_of(product="lark", kind="firmware", number="1.0", channel="stable", files=[(image, "box")])
    assert [(each.name, each.board, each.size_bytes) for each in read_manifest(text).artifacts] == [
        ("app.bin", "box", 8)
    ]
    signature = sign_manifest(file, text)
    assert is_signed(public, text, signature)
    assert not is_signed(public, text + " ", signature)
    assert not is_signed(public, text, signature[:-1])
    assert not is_signed(make_key(tmp_path / "other.pem"), text, signature)


def test_what_is_no_key_file(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    make_key(file)
    with pytest.raises(InvalidInputError, match="exists"):
        make_key(file)
    with pytest.raises(InvalidInputError, match="can't be written"):
        make_key(tmp_path / "nowhere" / "key.pem")
    with pytest.raises(InvalidInputError, match="can't be read"):
        public_key_of(tmp_path / "none")
    file.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    with pytest.raises(InvalidInputError, match="no private key"):
        public_key_of(file)
