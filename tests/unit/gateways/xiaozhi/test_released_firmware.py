"""What a rollout offers reaches a device with xiaozhi firmware by its configuration request."""

from __future__ import annotations

from pathlib import Path

from front_desk import Box, Desk

from entendre.cloud.downloads import PATH, SignedDownloads
from entendre.core.errors import StoreError
from entendre.fleet.releases import Manifest, ManifestArtifact, hash_of_notes, manifest_text
from entendre.gateways.xiaozhi.ota import OtaEndpoint, OtaSettings
from entendre.gateways.xiaozhi.releases import ReleasedFirmware
from entendre.ports.rollouts import Offer

SHA = "ab" * 32


class OneRollout:
    """Offers one release to everybody who does not run it, and fails when told to."""

    def __init__(self, number: str, board: str) -> None:
        artifact = ManifestArtifact("app.bin", SHA, 10, board)
        self.number = number
        self.manifest = manifest_text(
            Manifest("lark", "firmware", number, "stable", (artifact,), hash_of_notes(""))  # type: ignore[arg-type]
        )
        self.heard: list[str] = []
        self.fails = False

    async def ask_for(self, device: str, running: str) -> Offer | None:
        self.heard.append(running)
        if self.fails:
            raise StoreError("The database is away.")
        offered = ("firmware", "stable", self.manifest, b"s" * 64, "key")
        return None if running == self.number else Offer("r", "home", device, "x", 1, "offered", self.number, *offered)


def use(desk: Desk, rollout: OneRollout) -> SignedDownloads:
    downloads = SignedDownloads(b"k" * 32, desk.clock)
    released = ReleasedFirmware(rollout, downloads)
    desk.ota = OtaEndpoint(desk.devices, desk.clock, OtaSettings(), desk.shelf, released)
    return downloads


async def test_a_rollout_goes_before_the_folder(desk: Desk, box: Box, tmp_path: Path) -> None:
    file = tmp_path / "firmware" / "esp-box-3" / "2.9.0.bin"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"image")
    rollout = OneRollout("3.0.0", "esp-box-3")
    downloads = use(desk, rollout)
    _, record = await desk.bind(box)
    firmware = (await desk.boot(box))["firmware"]
    assert firmware["version"] == "3.0.0"
    claim = downloads.read(firmware["url"].partition(PATH)[2])
    assert claim is not None
    assert (claim.brand, claim.device, claim.artifact) == ("home", record.id, SHA)
    assert rollout.heard[-1] == box.version
    rollout.fails = True
    assert (await desk.boot(box))["firmware"]["version"] == "2.9.0", "a device starts whatever rollouts do"


async def test_only_what_fits(desk: Desk, box: Box) -> None:
    await desk.bind(box)
    for rollout in (OneRollout("3.0.0", "other-board"), OneRollout("3.0.0-rc.1", "")):
        use(desk, rollout)
        assert (await desk.boot(box))["firmware"]["url"] == ""
