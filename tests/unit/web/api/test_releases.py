"""From a key to a device that fetched its release, over HTTP."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from apisite import ApiSite, serve_api
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from entendre.cloud.downloads import SignedDownloads
from entendre.fleet.access import Principal
from entendre.fleet.releases import Manifest, ManifestArtifact, hash_of_notes, manifest_text, signed_message
from entendre.store.connection import Connection
from entendre.store.fleet.artifacts import Artifacts
from entendre.store.fleet.brands import BrandStore
from entendre.store.fleet.releases import Releases
from entendre.store.fleet.rollouts import Rollouts
from entendre.system import SystemClock

CONTENT = b"firmware 2" * 700
SHA = hashlib.sha256(CONTENT).hexdigest()
TOKEN = "entd_device"


class Site:
    """A server with one brand, one product and one device."""

    def __init__(self, site: ApiSite, folder: Path) -> None:
        self.site = site
        database, clock = site.database, SystemClock()
        self.brands = BrandStore(database, clock, "home")
        services = site.services
        services.brand_named = self.brands.named
        services.releases = releases = Releases(database, clock, "home")
        services.artifacts = Artifacts(database, clock, "home", folder, 10_000)
        services.rollouts = services.device_releases = self.rollouts = Rollouts(database, clock, "home", self.ids)
        services.device_login = self.login
        services.downloads = SignedDownloads(b"k" * 32, clock)
        self.key = Ed25519PrivateKey.generate()
        self.releases = releases

    async def ids(self, brand: str, query: str, after: str, limit: int) -> Sequence[str]:
        return [each for each in ("device-1", "device-2") if each > after]

    async def login(self, token: str) -> Principal | None:
        return Principal("device", "device-1", brand="home") if token == TOKEN else None

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        status, answer, _ = await self.site.ask(method, path, body, **options)
        return status, answer

    async def put(self, content: bytes, sha256: str = SHA, **headers: str) -> tuple[int, Any, Any]:
        path = f"/brands/home/artifacts/{sha256}"
        headers = {"Content-Type": "application/octet-stream"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        return await self.site.ask("PUT", path, data=content, headers=headers)

    async def published(self, number: str = "2.0.0") -> str:
        """The id of a published release."""
        public = base64.b64encode(self.key.public_key().public_bytes_raw()).decode()
        await self.ask("POST", "/brands/home/signing-keys", {"name": "factory", "public_key": public})
        assert (await self.put(CONTENT))[0] == 200
        artifact = ManifestArtifact("app.bin", SHA, len(CONTENT), "box")
        text = manifest_text(
            Manifest("lark", "firmware", number, "stable", (artifact,), hash_of_notes("New."))  # type: ignore[arg-type]
        )
        signature = base64.b64encode(self.key.sign(signed_message(text))).decode()
        body = {"manifest": text, "signature": signature, "notes": "New."}
        status, made = await self.ask("POST", "/brands/home/releases", body)
        assert (status, made["state"]) == (201, "draft")
        assert (await self.ask("POST", f"/brands/home/releases/{made['id']}/publish"))[1]["state"] == "published"
        return str(made["id"])

    async def rolling(self) -> str:
        """The id of a rollout that runs."""
        release = await self.published()
        groups = [{"percent": 100, "error_percent": 100}]
        body = {"release": release, "plan": {"groups": groups, "rate_per_min": 100_000}}
        status, made = await self.ask("POST", "/brands/home/rollouts", body)
        assert (status, made["state"], made["plan"]["groups"][0]["error_percent"]) == (201, "draft", 100)
        assert (await self.ask("POST", f"/brands/home/rollouts/{made['id']}/start"))[1]["state"] == "preparing"
        while await self.rollouts.prepare():
            pass
        return str(made["id"])


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    served = await serve_api(tmp_path)
    found = Site(served, tmp_path / "artifacts")
    await found.brands.ensure_home()

    def work(connection: Connection) -> None:
        connection.execute(
            "INSERT INTO products (region, id, brand, name, display_name, kind, model, channel, tools, wake_words,"
            " voices, created_at_s, created_by, version) VALUES ('home', 'p', 'home', 'lark', 'Lark', 'speaker', '',"
            " 'stable', '[]', '[]', '[]', 1.0, 'test', 1)"
        )
        connection.executemany(
            "INSERT INTO fleet_devices (region, id, brand, product, kind, serial, name, state, firmware, online,"
            " created_at_s, created_by, changed_at_s, changed_by, version) VALUES ('home', ?, 'home', 'p', 'speaker',"
            " ?, 'x', 'active', '1.0', 0, 1.0, 'test', 1.0, 'test', 1)",
            [("device-1", "1"), ("device-2", "2")],
        )

    await served.database.write(work)
    yield found
    await served.close()
    for _ in range(200):  # connections that were cut off take a few turns of the loop to end
        if not any("RequestHandler" in str(task.get_coro()) for task in asyncio.all_tasks()):
            return
        await asyncio.sleep(0.01)


async def test_a_device_is_told_and_reports(site: Site) -> None:
    rollout = await site.rolling()
    status, answer = await site.ask("GET", "/device/release?board=box", token=TOKEN)
    offer = answer["offer"]
    assert (status, offer["number"], offer["attempt"], offer["state"]) == (200, "2.0.0", 1, "offered")
    signature = base64.b64decode(offer["signature"])
    site.key.public_key().verify(signature, signed_message(offer["manifest"]))
    assert [each["sha256"] for each in offer["artifacts"]] == [SHA]
    _, other = await site.ask("GET", "/device/release?board=bread", token=TOKEN)
    assert other["offer"]["artifacts"] == []
    for state in ("downloading", "installing"):
        report = {"rollout": rollout, "attempt": 1, "state": state}
        assert await site.ask("POST", "/device/release/report", report, token=TOKEN) == (204, None)
    _, _, headers = await site.site.ask("GET", f"/brands/home/rollouts/{rollout}")
    seen = {"If-None-Match": headers["ETag"]}
    assert (await site.ask("GET", f"/brands/home/rollouts/{rollout}", headers=seen))[0] == 304
    assert (await site.ask("POST", "/device/release/report", {"running": "2.0.0"}, token=TOKEN))[0] == 204
    status, shown = await site.ask("GET", f"/brands/home/rollouts/{rollout}", headers=seen)
    assert status == 200, "what devices did is news"
    assert (shown["groups"][0]["succeeded"], shown["groups"][0]["waiting"]) == (1, 1)
    assert (await site.ask("GET", "/device/release", token=TOKEN))[1] == {"offer": None, "ask_again_s": 3_600.0}
    _, history = await site.ask("GET", "/brands/home/devices/device-1/updates?limit=3")
    assert [each["event"] for each in history["data"]] == ["offered", "downloading", "installing"]
    _, more = await site.ask("GET", f"/brands/home/devices/device-1/updates?after={history['next']}")
    assert [each["event"] for each in more["data"]] == ["succeeded"]
    _, waiting = await site.ask("GET", f"/brands/home/rollouts/{rollout}/devices?state=waiting")
    assert [each["device"] for each in waiting["data"]] == ["device-2"]
    assert (await site.ask("GET", "/device/release"))[0] in (401, 403), "who runs the server is no device"


async def test_a_download_goes_on_where_it_ended(site: Site) -> None:
    await site.rolling()
    _, answer = await site.ask("GET", "/device/release", token=TOKEN)
    url = f"http://127.0.0.1:{site.site.port}{answer['offer']['artifacts'][0]['url']}"
    client = site.site.client
    async with client.get(url) as whole:
        assert (whole.status, await whole.read(), whole.headers["ETag"]) == (200, CONTENT, f'"{SHA}"')
    for asked, status, content, said in (
        ("bytes=0-9", 206, CONTENT[:10], f"bytes 0-9/{len(CONTENT)}"),
        ("bytes=6990-", 206, CONTENT[6990:], f"bytes 6990-6999/{len(CONTENT)}"),
        ("bytes=-5", 206, CONTENT[-5:], f"bytes 6995-6999/{len(CONTENT)}"),
        ("bytes=0-1,5-6", 200, CONTENT, None),
    ):
        async with client.get(url, headers={"Range": asked}) as part:
            assert (part.status, await part.read(), part.headers.get("Content-Range")) == (status, content, said)
    async with client.get(url, headers={"Range": "bytes=10-", "If-Range": f'"{SHA}"'}) as same:
        assert (same.status, await same.read()) == (206, CONTENT[10:])
    async with client.get(url, headers={"Range": "bytes=10-", "If-Range": '"other"'}) as other:
        assert (other.status, await other.read()) == (200, CONTENT)
    async with client.get(url, headers={"Range": "bytes=7000-"}) as past:
        assert (past.status, past.headers["Content-Range"]) == (416, f"bytes */{len(CONTENT)}")
        assert (await past.json())["error"]["code"] == "range_not_satisfiable"
    async with client.head(url) as head:
        assert (head.status, head.headers["Content-Length"], head.headers["Accept-Ranges"]) == (200, "7000", "bytes")
    async with client.get(url[:-2] + "xx") as wrong:
        assert wrong.status == 404


async def test_an_upload_goes_on_where_it_ended(site: Site) -> None:
    total = len(CONTENT)
    status, found, headers = await site.put(CONTENT[:3_000], Content_Range=f"bytes 0-2999/{total}")
    assert (status, found["received_bytes"], found["complete"], headers["Upload-Offset"]) == (200, 3_000, False, "3000")
    status, refused, _ = await site.put(CONTENT[:3_000], Content_Range=f"bytes 0-2999/{total}")
    assert (status, refused["error"]["code"]) == (409, "conflict")
    _, _, headers = await site.site.ask("HEAD", f"/brands/home/artifacts/{SHA}")
    assert (headers["Upload-Offset"], headers["Upload-Length"]) == ("3000", "7000")
    status, found, _ = await site.put(CONTENT[3_000:], Content_Range=f"bytes 3000-6999/{total}")
    assert (status, found["complete"]) == (200, True)
    _, listed = await site.ask("GET", "/brands/home/artifacts")
    assert [each["id"] for each in listed["data"]] == [SHA]


async def test_an_upload_that_breaks_keeps_what_came(site: Site) -> None:
    offset = 0
    for attempt in range(1, 30):  # what the server had not read when the connection went is lost
        await cut_off(site, CONTENT[:4_000], 0.02 * attempt)
        status, found = await site.ask("GET", f"/brands/home/artifacts/{SHA}")
        offset = found["received_bytes"] if status == 200 else 0
        if offset:
            break
    assert offset == 4_000
    status, found, _ = await site.put(CONTENT[offset:], Content_Range=f"bytes {offset}-6999/{len(CONTENT)}")
    assert (status, found["complete"]) == (200, True)


async def cut_off(site: Site, content: bytes, after_s: float) -> None:
    """Send the beginning of a file, and go."""
    _, writer = await asyncio.open_connection("127.0.0.1", site.site.port)
    path = f"/api/v1/brands/home/artifacts/{SHA}"
    writer.write(f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode())
    writer.write(content)
    await writer.drain()
    await asyncio.sleep(after_s)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(after_s)


async def test_uploads_that_are_refused(site: Site) -> None:
    assert (await site.put(b"other" * 1_400))[0] == 400
    assert (await site.put(CONTENT, "f" * 63))[0] == 400
    assert (await site.put(b"x" * 10_001))[0] == 413
    assert (await site.put(CONTENT, Content_Range="bytes 5-4/3"))[0] == 400
    assert (await site.put(CONTENT, Content_Range="bytes 0-9/7000"))[0] == 400
    assert (await site.ask("GET", f"/brands/home/artifacts/{SHA}"))[0] == 404


async def test_operations_on_a_rollout(site: Site) -> None:
    rollout = await site.rolling()
    path = f"/brands/home/rollouts/{rollout}"
    status, paused, headers = await site.site.ask("POST", f"{path}/pause")
    assert (status, paused["state"]) == (200, "paused")
    stale = {"If-Match": '"1.00000000"'}
    assert (await site.ask("POST", f"{path}/resume", headers=stale))[0] == 412
    assert (await site.ask("POST", f"{path}/resume", headers={"If-Match": headers["ETag"]}))[1]["state"] == "running"
    assert (await site.ask("POST", f"{path}/approve"))[1]["error"]["code"] == "conflict"
    assert (await site.ask("POST", f"{path}/abort"))[1]["state"] == "aborted"
    _, events = await site.ask("GET", f"{path}/events")
    assert [each["event"] for each in events["data"]] == [
        *("created", "preparing", "running", "group_started", "paused", "running", "aborted")
    ]
    _, listed = await site.ask("GET", "/brands/home/rollouts")
    assert [each["id"] for each in listed["data"]] == [rollout]
    assert (await site.ask("GET", "/brands/home/rollouts/none"))[0] == 404
    body = {"release": paused["release"], "plan": {"groups": [{"percent": 101}]}}
    assert (await site.ask("POST", "/brands/home/rollouts", body))[0] == 400


async def test_keys_and_withdrawal(site: Site) -> None:
    release = await site.published()
    _, keys = await site.ask("GET", "/brands/home/signing-keys")
    assert [(each["name"], each["revoked_at_s"]) for each in keys["data"]] == [("factory", None)]
    _, listed = await site.ask("GET", "/brands/home/releases?product=lark")
    assert [each["id"] for each in listed["data"]] == [release]
    assert (await site.ask("POST", f"/brands/home/releases/{release}/withdraw"))[1]["state"] == "withdrawn"
    assert (await site.ask("POST", f"/brands/home/releases/{release}/publish"))[0] == 409
    _, revoked = await site.ask("POST", "/brands/home/signing-keys/factory/revoke")
    assert revoked["revoked_at_s"] is not None
