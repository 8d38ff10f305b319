"""A release as its maker signed it, in a file that goes to the server."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec

from entendre.clients.signing import manifest_of, sign_manifest
from entendre.core.errors import InvalidInputError
from entendre.fleet.releases import Kind

MAX_SIGNED_BYTES = 1024 * 1024


class SignedRelease(msgspec.Struct, frozen=True):
    """What was signed. `signature`: base64."""

    manifest: str
    signature: str
    notes: str = ""


def signed(
    key: Path,
    files: list[tuple[str, Path]],
    *,
    product: str,
    kind: Kind,
    number: str,
    channel: str,
    notes: str = "",
    minimum: str = "",
) -> SignedRelease:
    """Sign files, each with the board that it is for ("" for any). Raises: InvalidInputError, MissingExtraError."""
    text = manifest_of(
        product=product,
        kind=kind,
        number=number,
        channel=channel,
        files=[(file, board) for board, file in files],
        notes=notes,
        minimum=minimum,
    )
    return SignedRelease(text, base64.b64encode(sign_manifest(key, text)).decode(), notes)


def read_signed(file: Path) -> SignedRelease:
    """A signed release from a file. Raises: InvalidInputError."""
    try:
        with file.open("rb") as opened:
            return msgspec.json.decode(opened.read(MAX_SIGNED_BYTES), type=SignedRelease)
    except OSError as error:
        raise InvalidInputError(f"{file} can't be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{file} holds no signed release: entendre release sign", detail=str(error)) from error
