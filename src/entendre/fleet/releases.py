"""What a release is: its manifest, the one text that is signed, and what exactly a signature covers.

The signature is Ed25519 over `signed_message(text)`: a line that names the purpose, so that a signature made for
anything else is none here, then the manifest byte for byte. A device checks it with the key that it was made with.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from entendre.core.errors import InvalidInputError, TooLargeError
from entendre.fleet.versions import MAX_NUMBER_CHARS, read_version

DOMAIN = b"entendre release manifest 1\n"
"""What every signed message begins with."""
MAX_MANIFEST_BYTES = 32 * 1024
MAX_ARTIFACTS = 64
MAX_ARTIFACT_BYTES = 1 << 40
MAX_NOTES_CHARS = 16_384
PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
FORMAT = 1

Kind = Literal["firmware", "software"]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Slug = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Number = Annotated[str, Meta(min_length=1, max_length=MAX_NUMBER_CHARS)]


class ManifestArtifact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a release. `board`: the hardware that it is for, empty for any."""

    name: Slug
    sha256: Sha256
    size_bytes: Annotated[int, Meta(ge=1, le=MAX_ARTIFACT_BYTES)]
    board: Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")] = ""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a maker signs. `minimum`: the lowest version that may be updated to this one directly; empty for any.

    `product` is the product's name, `notes_sha256` the hash of the notes' UTF-8 text.
    """

    product: Slug
    kind: Kind
    number: Number
    channel: Slug
    artifacts: Annotated[tuple[ManifestArtifact, ...], Meta(min_length=1, max_length=MAX_ARTIFACTS)]
    notes_sha256: Sha256
    minimum: Annotated[str, Meta(max_length=MAX_NUMBER_CHARS)] = ""
    format: Annotated[int, Meta(ge=FORMAT, le=FORMAT)] = FORMAT


def manifest_text(manifest: Manifest) -> str:
    """The canonical text: JSON with sorted keys and no spaces. Raises: InvalidInputError, TooLargeError."""
    text = msgspec.json.encode(manifest, order="sorted")
    read_manifest(text.decode())
    return text.decode()


def read_manifest(text: str) -> Manifest:
    """The manifest of a canonical text. Raises: InvalidInputError, TooLargeError."""
    given = text.encode("utf-8", "replace")
    if len(given) > MAX_MANIFEST_BYTES:
        raise TooLargeError(f"A manifest has at most {MAX_MANIFEST_BYTES} bytes.")
    try:
        manifest = msgspec.json.decode(given, type=Manifest)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidInputError(f"This is no manifest of a release: {error}") from error
    if msgspec.json.encode(manifest, order="sorted") != given:
        raise InvalidInputError("The manifest is not in its canonical form: sorted keys, every field, no spaces.")
    _check(manifest)
    return manifest


def _check(manifest: Manifest) -> None:
    for number in (manifest.number, *([manifest.minimum] if manifest.minimum else ())):
        if read_version(number) is None:
            raise InvalidInputError(f"{number!r} is no version number: write it like 2.4.0 or 2.5.0-rc.1.")
    places = {(each.name, each.board) for each in manifest.artifacts}
    if len(places) != len(manifest.artifacts):
        raise InvalidInputError("The manifest names an artifact of the same name and board twice.")


def signed_message(text: str) -> bytes:
    """The bytes that are signed for a manifest's text."""
    return DOMAIN + text.encode()


def hash_of_notes(notes: str) -> str:
    """What `notes_sha256` has to be for these notes."""
    return hashlib.sha256(notes.encode()).hexdigest()


def key_id(public_key: bytes) -> str:
    """How devices and people name a public key: the first half of its hash, in hexadecimal."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def fits_board(artifact: ManifestArtifact, board: str) -> bool:
    """Whether a device of this board can use an artifact; one that does not say its board is shown all."""
    return not artifact.board or not board or artifact.board == board


def is_sha256(text: str) -> bool:
    """Whether a text is the id of an artifact."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None
