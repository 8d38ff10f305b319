"""Every operation that changes something says so, in the audit log or in the change feed; and secrets are not kept."""

from __future__ import annotations

import os
import random
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from belongings import fill
from drawing import Drawing
from two_worlds import Api, World, make_world, signed_release

from entendre.app.application import App
from entendre.config import load_settings
from entendre.web.api.form_data import FORM
from entendre.web.api.operation import Operation
from entendre.web.api.routes import OPERATIONS

pytest.importorskip("argon2")

ROUNDS = int(os.environ.get("ENTENDRE_ISOLATION_ROUNDS", "4"))
SECRETS = re.compile(r"token|secret|code|(primary|secondary)_key|(access|refresh)_token|(device|user)_code|password")
SECRET_REPLIES = frozenset(
    {
        *("create_key", "issue_device_token", "rotate_own_token", "create_enrolment_group", "rotate_enrolment_key"),
        *("provision", "invite_member", "ask_claim_code", "start_device_flow", "get_tokens", "create_webhook"),
        "rotate_webhook_secret",
    }
)
UNTOLD = {
    "ask_challenge": "It changes nothing: the challenge is made of a key and the time.",
    "start_device_flow": "A program asks; nothing of anybody changes before a person decides.",
    "get_tokens": "A sign-in: what it opens is the person's, and every use of it is checked.",
    "revoke_token": "The end of a sign-in, by whoever holds its token.",
    "end_sessions": "The same, by the person.",
    "decide_device_code": "A sign-in.",
    "ask_claim_code": "A code; the claim that it leads to is told.",
    "send_telemetry": "Bounded, and queryable by itself; thousands a second would drown the feed.",
    "test_webhook": "It sends a delivery and changes nothing.",
    "report_my_release": "Told as a state of the rollout where it is one, else the version alone changes.",
}
"""What is neither audited nor announced, and why."""

UNTRIED = frozenset(
    {
        *("approve_rollout", "retry_rollout", "call_device", "cancel_command", "end_product", "forget_device"),
        *("change_password", "reset_password", "erase_me", "leave_household", "release_device"),
        *("revoke_token", "rotate_own_token"),
    }
)
"""What takes a state to be granted that is not drawn here: the tests of each store say what they tell."""


def fields_of(kind: Any) -> set[str]:
    """The names of all fields of a type and the types in it."""
    _, parts = msgspec.json.schema_components([kind])
    return {name for part in parts.values() for name in part.get("properties", ())}


def test_no_answer_with_a_secret_is_kept() -> None:
    """Answers to an Idempotency-Key lie in the database for a day; secrets are in it only as hashes."""
    secret = {each for each in OPERATIONS if each.reply is not None and any(map(is_secret, fields_of(each.reply)))}
    assert {each.name for each in secret} == SECRET_REPLIES
    assert not {each.name for each in secret if each.idempotent}


def is_secret(field: str) -> bool:
    return SECRETS.fullmatch(field) is not None


class Watched(Api):
    """Requests that make a world, each looked at for whether it was told."""

    teller: Teller

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        before = await self.teller.length()
        status, answer = await super().ask(method, path, body, **options)
        name = next(each.name for each in OPERATIONS if each.method == method and is_of(path, each))
        await self.teller.note(name, status, before)
        return status, answer


def is_of(path: str, operation: Operation) -> bool:
    """Whether a path is one of an operation's."""
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", operation.path), path.partition("?")[0]) is not None


class Teller:
    """A server with one world, and what its operations told."""

    def __init__(self, app: App, api: Api) -> None:
        self.app, self.api = app, api
        self.granted: Counter[str] = Counter()
        self.told: Counter[str] = Counter()

    def use(self, world: World) -> None:
        """Ask about this world from now on."""
        self.world = world
        self.drawing = Drawing(random.Random(1), world, world)

    async def length(self) -> int:
        """How much was told so far."""
        newest = [f"coalesce((SELECT max(seq) FROM {table}), 0)" for table in ("audit", "changes", "outbox")]
        sql = f"SELECT {' + '.join(newest)}"
        return await self.app.database.read(lambda connection: int(connection.execute(sql).fetchone()[0]))

    async def ask(self, operation: Operation, caller: str) -> None:
        given: dict[str, Any] = {}
        if operation.accepts == FORM:
            given["data"] = {name: str(value) for name, value in self.drawing.body(operation).items()}
        elif operation.body is not None:
            given["json"] = self.drawing.body(operation)
            if operation.name == "create_release":
                number = f"9.{self.granted.total()}.0"
                given["json"] = signed_release(self.world, number, self.world.contents[0])
        elif operation.accepts == "application/octet-stream":
            given["data"] = b"bytes"
        path = self.world.filled(operation.path)
        if operation.query is not None:
            ids = [each for each in path.split("/") if len(each) > 16]
            given["params"] = {"confirm": (ids or [self.world.accounts["owner"]])[-1]}
        headers = {"Authorization": f"Bearer {self.token(caller)}", "Idempotency-Key": uuid.uuid4().hex}
        before = await self.length()
        url = f"{self.api.url}/api/v1{path}"
        async with self.api.http.request(operation.method, url, headers=headers, **given) as answer:
            await answer.read()
            await self.note(operation.name, answer.status, before)

    async def note(self, name: str, status: int, before: int) -> None:
        """Whether an operation that was granted has told anything since."""
        if status < 300:
            self.granted[name] += 1
            self.told[name] += await self.length() > before

    def token(self, caller: str) -> str:
        return self.api.operator or "" if caller == "operator" else self.world.tokens[caller]


@pytest.fixture
async def teller(tmp_path: Path) -> AsyncIterator[Teller]:
    quiet = {f"speech.{name}": "none" for name in ("recognizer", "voice", "vad")}
    server = {"server.port": 0, "server.data_dir": tmp_path, "api.requests_per_s": 0, "keys.required": True}
    app = App(load_settings(flags=quiet | server))
    await app.start()
    operator, _ = await app.keys.add("operator")
    async with aiohttp.ClientSession() as http:
        api = Watched(http, f"http://127.0.0.1:{app.port}", operator)
        api.teller = teller = Teller(app, api)
        world = await make_world(api, "zzamber")
        teller.use(world)
        await app.database.write(lambda connection: fill(connection, world))
        world.ids["releases"].reverse()  # the draft first
        yield teller
    await app.close()


def in_order(operation: Operation) -> tuple[int, int]:
    """What takes things away comes last, from the inside to the outside; people and brands at the very end."""
    takes = operation.method == "DELETE" or re.match(
        r"(revoke|withdraw|abort|rotate|reset|change_pass)", operation.name
    )
    rank = 2 if operation.name in ("erase_me", "end_sessions", "erase_account", "end_brand", "reset_password") else 1
    return (rank, -operation.path.count("/")) if takes else (0, 0)


@pytest.mark.slow
async def test_what_changes_something_is_told(teller: Teller) -> None:
    changing = sorted((each for each in OPERATIONS if each.method != "GET"), key=in_order)
    for operation in changing:
        rounds = ROUNDS if in_order(operation) == (0, 0) else 1
        for _ in range(rounds):
            for caller in ("admin", "owner", "claimed", "operator"):
                if not teller.told[operation.name]:
                    await teller.ask(operation, caller)
    silent = {each.name for each in changing if teller.granted[each.name] and not teller.told[each.name]}
    assert silent <= set(UNTOLD), f"neither audited nor announced: {sorted(silent - set(UNTOLD))}"
    untried = {each.name for each in changing} - set(teller.granted)
    assert untried <= UNTRIED
