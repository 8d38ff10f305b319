"""A simulated maker: its brand, product, enrolment group, signing key, releases and rollouts."""

from __future__ import annotations

import base64
import hashlib
import random
from typing import Any

from entendre.bench.simulate.devices import Factory
from entendre.bench.simulate.requests import Requests
from entendre.fleet.releases import Manifest, ManifestArtifact, hash_of_notes, manifest_text, signed_message

PRODUCT = "lark"
ARTIFACT_BYTES = 200_000
NOTES = "Simulated."


class Maker:
    """What a maker does over the API. `brand`: its name."""

    def __init__(self, requests: Requests, brand: str, seed: int) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._requests = requests
        self._brand = brand
        self._chance = random.Random(seed)
        self._key = Ed25519PrivateKey.generate()

    async def found(self) -> Factory:
        """Make the brand and everything that devices are made with."""
        ask, public_key = self._requests.ask, self._key.public_key().public_bytes_raw()
        await ask("POST", "/brands", {"name": self._brand, "display_name": self._brand})
        await ask("POST", self._at("products"), {"name": PRODUCT, "display_name": "Lark", "kind": "speaker"})
        wanted = {"name": "factory", "product": PRODUCT, "kind": "symmetric"}
        made = await ask("POST", self._at("enrolment-groups"), wanted)
        key = {"name": "release", "public_key": base64.b64encode(public_key).decode()}
        await ask("POST", self._at("signing-keys"), key)
        return Factory(made["group"]["id"], base64.b64decode(made["primary_key"]), public_key)

    async def release(self, number: str) -> str:
        """Upload, sign and publish; the release's id."""
        content = self._chance.randbytes(ARTIFACT_BYTES)
        sha256 = hashlib.sha256(content).hexdigest()
        octets = {"Content-Type": "application/octet-stream"}
        await self._requests.ask("PUT", self._at(f"artifacts/{sha256}"), data=content, headers=octets)
        artifact = ManifestArtifact("app.bin", sha256, len(content))
        text = manifest_text(Manifest(PRODUCT, "firmware", number, "stable", (artifact,), hash_of_notes(NOTES)))
        signature = base64.b64encode(self._key.sign(signed_message(text))).decode()
        body = {"manifest": text, "signature": signature, "notes": NOTES}
        made = await self._requests.ask("POST", self._at("releases"), body)
        await self._requests.ask("POST", self._at(f"releases/{made['id']}/publish"))
        return str(made["id"])

    async def withdraw(self, release: str) -> None:
        """Offer a release to nobody any more."""
        await self._requests.ask("POST", self._at(f"releases/{release}/withdraw"))

    async def roll_out(self, release: str, name: str, plan: dict[str, Any]) -> str:
        """Start a rollout; its id."""
        body = {"release": release, "name": name, "plan": plan}
        made = await self._requests.ask("POST", self._at("rollouts"), body)
        await self.operate(str(made["id"]), "start")
        return str(made["id"])

    async def operate(self, rollout: str, operation: str) -> dict[str, Any]:
        """Do something with a rollout; what was done before its answer was lost is refused, and is as good."""
        path = self._at(f"rollouts/{rollout}/{operation}")
        await self._requests.ask("POST", path, expect=(200, 409))
        return await self.rollout(rollout)

    async def rollout(self, rollout: str) -> dict[str, Any]:
        """A rollout as it stands."""
        found: dict[str, Any] = await self._requests.ask("GET", self._at(f"rollouts/{rollout}"))
        return found

    async def members(self, rollout: str, group: int) -> list[str]:
        """The devices of a group of a rollout."""
        found: list[str] = []
        query = {"limit": "200"}
        while True:
            page = await self._requests.ask("GET", self._at(f"rollouts/{rollout}/devices"), query=query)
            found += [each["device"] for each in page["data"] if each["group"] == group]
            if page["next"] is None:
                return found
            query["after"] = page["next"]

    async def running(self, number: str) -> int:
        """How many devices the server knows to run a version."""
        query = {"query": f"firmware = '{number}'", "count": "true", "limit": "1"}
        return int((await self._requests.ask("GET", self._at("devices"), query=query))["count"])

    def _at(self, path: str) -> str:
        return f"/brands/{self._brand}/{path}"
