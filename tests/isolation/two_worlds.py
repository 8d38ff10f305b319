"""A world: a brand and a household with everything that they can have, made over the API, every text of it marked."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from entendre.fleet.enrolment import derived_key, symmetric_proof
from entendre.fleet.oauth import CLI
from entendre.fleet.releases import Manifest, ManifestArtifact, hash_of_notes, manifest_text, signed_message
from entendre.store.people.oauth import challenge_of

PASSWORD = "correct horse battery staple"
VERIFIER = "v" * 43
CALLBACK = CLI.redirect_uris[0]
PEOPLE = ("staff", "owner", "adult", "child", "guest")
LIGHT = {"type": "set_trait", "appliance": "lamp", "trait": "on", "value": False}
LAMP = {"id": "lamp", "kind": "light"}
_SECRET_FIELDS = frozenset({"token", "secret", "code", "primary_key", "secondary_key", "device_code", "user_code"})


class Api:
    """Requests to a server; whoever runs it without a token."""

    def __init__(self, http: aiohttp.ClientSession, url: str, operator: str | None) -> None:
        self.http, self.url, self.operator = http, url, operator

    async def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **options: Any
    ) -> tuple[int, Any]:
        """The status and the body of an answer."""
        token = token or self.operator
        headers = dict(options.pop("headers", {})) | ({"Authorization": f"Bearer {token}"} if token else {})
        if body is not None:
            options["json"] = body
        async with self.http.request(method, f"{self.url}/api/v1{path}", headers=headers, **options) as answer:
            text = await answer.text(errors="replace")
            return answer.status, await answer.json() if answer.content_type == "application/json" and text else text

    async def done(self, method: str, path: str, body: Any = None, *, token: str | None = None, **options: Any) -> Any:
        """The body of the answer to a request that is granted."""
        status, answer = await self.ask(method, path, body, token=token, **options)
        assert status < 300, (method, path, body, status, answer)
        return answer

    async def sign_in(self, login: str, password: str = PASSWORD) -> dict[str, Any]:
        """The tokens that somebody gets by code with PKCE."""
        form = {
            "response_type": "code",
            "client_id": CLI.id,
            "redirect_uri": CALLBACK,
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "login": login,
            "password": password,
            "decision": "approve",
        }
        url = f"{self.url}/oauth/authorize"
        async with self.http.post(url, data=form, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
            code = parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]
        wanted = {"grant_type": "authorization_code", "client_id": CLI.id, "redirect_uri": CALLBACK}
        return await self.done("POST", "/oauth/token", data=wanted | {"code": code, "code_verifier": VERIFIER})


@dataclass
class World:
    """What there is of a brand and a household.

    `ids`: by the collection that they stand in, as in paths; `private`: texts that are one person's alone; `assistant`:
    what devices are told whose assistant is this brand's.
    """

    mark: str
    ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    tokens: dict[str, str] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    private: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    assistant: set[str] = field(default_factory=set)
    group_key: bytes = b""
    contents: list[bytes] = field(default_factory=list)
    signer: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    said: int = 0

    def word(self, what: str) -> str:
        """A word that nobody else says."""
        self.said += 1
        return f"{self.mark}{what}{self.said}"

    @property
    def brand(self) -> str:
        return self.ids["brands"][0]

    @property
    def household(self) -> str:
        return self.ids["households"][0]

    def keep(self, collection: str, answer: dict[str, Any], id: str = "id") -> str:
        """Note an id, and every secret of an answer."""
        self.ids[collection].append(answer[id])
        self.note(answer)
        return str(answer[id])

    def note(self, answer: Any) -> None:
        """Note every secret in an answer."""
        if isinstance(answer, dict):
            for name, value in answer.items():
                if name in _SECRET_FIELDS and isinstance(value, str):
                    self.secrets.add(value)
                self.note(value)

    def filled(self, path: str, others: World | None = None, outer: bool = True) -> str:
        """A path with ids for placeholders. `others`: whose brand or household (`outer`), or whose rest, it is."""

        def value(match: re.Match[str]) -> str:
            collection = match[1]
            is_outer = collection in ("brands", "households")
            world = others if others is not None and is_outer is outer else self
            return f"{collection}/{world.one(collection)}"

        return re.sub(r"([a-z-]+)/\{\w+\}", value, path)

    def one(self, collection: str) -> str:
        """An id of a collection."""
        found = self.ids.get(collection)
        return found[0] if found else f"no-{collection}"


async def make_world(api: Api, mark: str) -> World:
    """A brand, a household, and everything of both."""
    world = World(mark)
    await _make_people(api, world)
    await _make_brand(api, world)
    await _make_devices(api, world)
    await _make_household(api, world)
    await _make_things(api, world)
    await _talk_to_devices(api, world)
    await _make_releases(api, world)
    return world


async def _make_people(api: Api, world: World) -> None:
    for who in PEOPLE:
        login = world.logins[who] = f"{world.word(who)}@example.org"
        body = {"login": login, "display_name": world.word("name"), "password": PASSWORD}
        world.accounts[who] = world.keep("accounts", await api.done("POST", "/accounts", body))
        await sign_in(api, world, who)
    hashed = hashlib.sha256(world.word("hash").encode()).hexdigest()
    world.ids["directory"] = [hashed]
    asked = await api.done("POST", "/oauth/device_authorization", data={"client_id": CLI.id})
    world.ids["device-codes"] = [asked["user_code"]]
    client = {"name": world.word("client"), "redirect_uris": ["https://example.org/back"]}
    world.keep("oauth-clients", await api.done("POST", "/oauth-clients", client))


async def sign_in(api: Api, world: World, who: str) -> None:
    """A new access token of a person."""
    tokens = await api.sign_in(world.logins[who])
    world.tokens[who] = tokens["access_token"]
    world.secrets |= {tokens["access_token"], tokens["refresh_token"]}


async def _make_brand(api: Api, world: World) -> None:
    assistant = {"name": world.word("assistant"), "wake_words": [world.word("wake")]}
    world.assistant = {assistant["name"], *assistant["wake_words"]}
    body = {"name": world.word("brand"), "display_name": world.word("maker"), "assistant": assistant}
    brand = f"/brands/{world.keep('brands', await api.done('POST', '/brands', body))}"
    made = await api.done("POST", f"{brand}/keys", {"name": world.word("key"), "role": "admin"})
    world.tokens["admin"] = made["token"]
    world.keep("keys", made["key"])
    world.note(made)
    spare = await api.done("POST", f"{brand}/keys", {"name": world.word("key"), "role": "viewer"})
    world.ids["keys"].insert(0, spare["key"]["id"])
    world.note(spare)
    admin = world.tokens["admin"]
    for name in ("speaker", "lent"):
        product = {"name": world.word(name), "display_name": world.word("shown"), "kind": "speaker"}
        product |= {"tools": [world.word("tool")], "channel": world.word("channel")}
        world.keep("products", await api.done("POST", f"{brand}/products", product, token=admin))
    staff = {"account": world.accounts["staff"], "login": world.logins["staff"], "role": "admin"}
    world.keep("staff", await api.done("POST", f"{brand}/staff", staff, token=admin))
    lender = await api.done("POST", "/brands", {"name": world.word("ally"), "display_name": world.word("friend")})
    world.ids["brands"].append(lender["id"])
    body = {"partner": lender["id"], "products": [world.ids["products"][1]]}
    world.keep("partnerships", await api.done("POST", f"{brand}/partnerships", body, token=admin))
    hook = await api.done("POST", f"{brand}/webhooks", {"url": f"https://{world.word('hook')}.invalid/"}, token=admin)
    await api.done("PATCH", f"{brand}/webhooks/{hook['webhook']['id']}", {"enabled": False}, token=admin)
    world.keep("webhooks", hook["webhook"])
    world.note(hook)
    await api.done("PUT", f"{brand}/retention/history", {"days": 30}, token=admin)
    world.ids["retention"] = ["history"]


async def _make_devices(api: Api, world: World) -> None:
    brand, admin = f"/brands/{world.brand}", world.tokens["admin"]
    body = {"name": world.word("group"), "product": world.ids["products"][0], "kind": "symmetric"}
    made = await api.done("POST", f"{brand}/enrolment-groups", body, token=admin)
    group = world.keep("enrolment-groups", made["group"])
    world.note(made)
    world.group_key = base64.b64decode(made["primary_key"])
    for name, product in (("claimed", 0), ("idle", 0), ("lent", 1)):
        serial = world.word(name)
        body = {"product": world.ids["products"][product], "serial": serial, "name": world.word("device")}
        world.devices[name] = world.keep("devices", await api.done("POST", f"{brand}/devices", body, token=admin))
        world.ids["serials"].append(serial)
        token = await api.done("POST", f"{brand}/devices/{world.devices[name]}/tokens", token=admin)
        world.tokens[name] = token["token"]
        world.note(token)
    serial = world.word("enrolled")
    asked = await api.done("POST", "/provision/challenge", {"group": group, "serial": serial})
    proof = symmetric_proof(derived_key(world.group_key, serial), group, serial, asked["challenge"])
    claim = asked | {"group": group, "serial": serial, "proof": base64.b64encode(proof).decode()}
    claim.pop("expires_at_s")
    enrolled = await api.done("POST", "/provision", claim)
    world.keep("devices", enrolled, "device")
    world.devices["enrolled"], world.tokens["enrolled"] = enrolled["device"], enrolled["token"]


async def _make_household(api: Api, world: World) -> None:
    owner = world.tokens["owner"]
    body = {"name": world.word("household"), "brand": world.brand, "country": "IN"}
    home = f"/households/{world.keep('households', await api.done('POST', '/households', body, token=owner))}"
    await api.done("PATCH", home, {"retention": {"history": 30}}, token=owner)
    for who in ("adult", "child", "guest"):
        until_s = {"until_s": time.time() + 86_400} if who == "guest" else {}
        code = await api.done("POST", f"{home}/invitations", {"role": who, **until_s}, token=owner)
        joining = {"code": code["code"], "name": world.word("member")}
        world.keep("members", await api.done("POST", "/me/households", joining, token=world.tokens[who]))
    kid = await api.done("POST", f"{home}/members", {"name": world.word("kid")}, token=owner)
    world.ids["members"].insert(0, kid["id"])
    world.note(await api.done("POST", f"{home}/invitations", {"role": "adult"}, token=owner))
    room = world.keep("rooms", await api.done("POST", f"{home}/rooms", {"name": world.word("room")}, token=owner))
    code = await api.done("POST", "/device/claim-code", {}, token=world.tokens["claimed"])
    claim = {"code": code["code"], "room": room, "name": world.word("speaker")}
    await api.done("POST", f"{home}/devices", claim, token=owner)
    world.note(await api.done("POST", "/device/claim-code", {}, token=world.tokens["idle"]))


async def _make_things(api: Api, world: World) -> None:
    home, owner = f"/households/{world.household}", world.tokens["owner"]
    for who in ("owner", "adult"):
        for private in (False, True):
            text = world.word("note")
            note = await api.done("POST", f"{home}/notes", {"text": text, "private": private}, token=world.tokens[who])
            world.keep("notes", note)
            if private:
                world.private[who].add(text)
    item = {"text": world.word("item"), "quantity": world.word("many")}
    kept = {"Idempotency-Key": "repeated"}
    found = await api.done("POST", f"{home}/lists/shopping/items", item, token=owner, headers=kept)
    world.ids["lists"], world.ids["items"] = [found["id"]], [found["items"][0]["id"]]
    await api.done("POST", f"{home}/lists/{world.word('list')}/items", {"text": world.word("item")}, token=owner)
    routine = {"name": world.word("routine"), "trigger": {"say": world.word("phrase")}, "actions": [LIGHT]}
    world.keep("routines", await api.done("POST", f"{home}/routines", routine, token=owner))
    await api.done("PUT", f"{home}/home", {"appliances": [{**LAMP, "names": world.word("lamp")}]}, token=owner)
    agreed = {"purpose": "history", "given": True, "wording": world.word("v"), "language": "en"}
    await api.done("POST", f"{home}/consents", agreed, token=owner)
    child = f"{home}/members/{world.ids['members'][0]}/consents"
    await api.done("POST", child, agreed | {"wording": world.word("v")}, token=owner)
    for who in ("owner", "adult"):
        line = agreed | {"wording": world.word("v")}
        await api.done("POST", "/me/consents", line, token=world.tokens[who])


async def _talk_to_devices(api: Api, world: World) -> None:
    brand, admin = f"/brands/{world.brand}", world.tokens["admin"]
    for name in ("claimed", "idle"):
        device, token = f"{brand}/devices/{world.devices[name]}", world.tokens[name]
        await api.done("PATCH", f"{device}/twin/tags", {"site": world.word("site")}, token=admin)
        await api.done("PATCH", f"{device}/twin/desired", {"mode": world.word("mode")}, token=admin)
        await api.done("PATCH", "/device/twin/reported", {"mode": world.word("mode")}, token=token)
        message = {"id": "m1", "body": {"told": world.word("told")}}
        await api.done("POST", "/device/telemetry", {"messages": [message]}, token=token)
        for _ in range(2):
            command = {"name": world.word("command"), "payload": {"say": world.word("payload")}, "ttl_s": 86_400}
            made = await api.done("POST", f"{device}/commands", command, token=admin)
            world.keep("commands", made)
        answer = {"status": 200, "result": {"said": world.word("result")}}
        await api.done("GET", "/device/commands?wait_s=0", token=token)
        await api.done("POST", f"/device/commands/{made['id']}/answer", answer, token=token)
    wanted = f"tags.site = '{world.mark}nowhere'"
    job = {"name": world.word("command"), "query": wanted, "payload": {"say": world.word("payload")}}
    world.keep("command-jobs", await api.done("POST", f"{brand}/command-jobs", job, token=admin))


def signed_release(world: World, number: str, content: bytes, product: str | None = None) -> dict[str, str]:
    """The body that makes a release which this world's maker signed."""
    artifact = ManifestArtifact("app.bin", hashlib.sha256(content).hexdigest(), len(content))
    notes = world.word("notes")
    given: dict[str, Any] = {
        "product": product or world.ids["product-names"][0],
        "kind": "firmware",
        "number": number,
        "channel": world.ids["channels"][0],
        "artifacts": (artifact,),
        "notes_sha256": hash_of_notes(notes),
    }
    text = manifest_text(Manifest(**given))
    signature = base64.b64encode(world.signer.sign(signed_message(text))).decode()
    return {"manifest": text, "signature": signature, "notes": notes}


async def _make_releases(api: Api, world: World) -> None:
    brand, admin = f"/brands/{world.brand}", world.tokens["admin"]
    product = await api.done("GET", f"{brand}/products/{world.ids['products'][0]}", token=admin)
    world.ids["product-names"], world.ids["channels"] = [product["name"]], [product["channel"]]
    for spare in (False, True):
        signer = Ed25519PrivateKey.generate() if spare else world.signer
        public = base64.b64encode(signer.public_key().public_bytes_raw()).decode()
        key = {"name": world.word("signer"), "public_key": public}
        made = await api.done("POST", f"{brand}/signing-keys", key, token=admin)
        world.ids["signing-keys"].insert(0, made["id"])
    for number in ("2.0.0", "3.0.0"):
        content = f"{world.word('firmware')} {number} {secrets.token_hex(8)}".encode()
        sha256 = hashlib.sha256(content).hexdigest()
        await api.done("PUT", f"{brand}/artifacts/{sha256}", data=content, token=admin, headers=_OCTETS)
        world.ids["artifacts"].append(sha256)
        world.contents.append(content)
        body = signed_release(world, number, content)
        world.keep("releases", await api.done("POST", f"{brand}/releases", body, token=admin))
    await api.done("POST", f"{brand}/releases/{world.ids['releases'][0]}/publish", token=admin)
    for start in (True, False):
        body = {"release": world.ids["releases"][0], "name": world.word("rollout")}
        rollout = world.keep("rollouts", await api.done("POST", f"{brand}/rollouts", body, token=admin))
        if start:
            await api.done("POST", f"{brand}/rollouts/{rollout}/start", token=admin)
    report = {"running": "1.0.0"}
    await api.done("POST", "/device/release/report", report, token=world.tokens["claimed"])


_OCTETS = {"Content-Type": "application/octet-stream"}
