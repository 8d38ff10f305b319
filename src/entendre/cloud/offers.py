"""An offer as a device is told of it, over whatever door: what was signed, and where its files are."""

from __future__ import annotations

from msgspec import Struct

from entendre.cloud.downloads import PATH
from entendre.fleet.releases import fits_board, read_manifest
from entendre.ports.releases import DownloadTokens
from entendre.ports.rollouts import Offer

ASK_SOON_S = 60.0
ASK_LATER_S = 3_600.0
"""When a device asks again: soon if it has an offer or waits in a group that was started, else now and then."""


class OfferedArtifact(Struct, frozen=True):
    """A file to fetch. `url` may be a path on the server that the device knows; it ends at `expires_at_s`."""

    name: str
    board: str
    sha256: str
    size_bytes: int
    url: str
    expires_at_s: float


class OfferedRelease(Struct, frozen=True):
    """What to install. `signature`: of `manifest`, by the key that `signing_key` names."""

    rollout: str
    release: str
    attempt: int
    state: str
    number: str
    kind: str
    channel: str
    manifest: str
    signature: bytes
    signing_key: str
    artifacts: tuple[OfferedArtifact, ...]


def shown_offer(offer: Offer, tokens: DownloadTokens, *, base: str = "", board: str = "") -> OfferedRelease:
    """An offer with URLs for one device. `base`: the server's address, empty for paths; `board`: of the device."""
    artifacts = []
    for each in read_manifest(offer.manifest).artifacts:
        if fits_board(each, board):
            token, expires_at_s = tokens.token(offer.brand, offer.device, each.sha256)
            url = f"{base.rstrip('/')}{PATH}{token}"
            artifacts.append(OfferedArtifact(each.name, each.board, each.sha256, each.size_bytes, url, expires_at_s))
    return OfferedRelease(
        rollout=offer.rollout,
        release=offer.release,
        attempt=offer.attempt,
        state=offer.state,
        number=offer.number,
        kind=offer.kind,
        channel=offer.channel,
        manifest=offer.manifest,
        signature=offer.signature,
        signing_key=offer.signing_key,
        artifacts=tuple(artifacts),
    )
