"""What the API describes is what it answers: drawn requests to every operation, as everybody who may call, in depth.

Paths and bodies have ids of things that exist, so that operations do what they do instead of only refusing.
`ENTENDRE_SCHEMATHESIS_EXAMPLES` draws more of each, and then others every time.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from drawing import COLLECTIONS
from two_worlds import Api, World, make_world, sign_in

from entendre.store.database import open_database
from entendre.store.keys import ApiKeys
from entendre.system import SystemClock
from entendre.web.api.operation import Operation
from entendre.web.api.routes import OPERATIONS

schemathesis = pytest.importorskip("schemathesis")
pytest.importorskip("argon2")
import hypothesis  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig  # noqa: E402
from schemathesis.core.failures import FailureGroup  # noqa: E402
from schemathesis.specs.openapi import checks  # noqa: E402

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EXAMPLES = int(os.environ.get("ENTENDRE_SCHEMATHESIS_EXAMPLES", "0"))
USUAL = 8
GRANTED = 130
"""Fewest operations of which at least one case is granted."""
QUIET = (
    *("speech.recognizer=none", "speech.voice=none", "speech.vad=none"),
    *("api.requests_per_s=0", "api.sign_up=open", "keys.required=true"),
)
CHECKS: list[Any] = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
CALLERS = ("operator", "admin", "owner", "claimed")
HOLDERS = {
    "region": ("operator",),
    "brand": ("operator", "admin"),
    "household": ("operator", "owner"),
    "account": ("owner",),
    "device": ("claimed",),
}
"""Who has the permissions of a scope."""
ENDS = re.compile(r"(revoke|withdraw|abort|remove|forget|cancel|release|rotate|end|leave|erase|change_password)(_|$)")
"""What takes things away that others need is asked last, from the inside to the outside."""
ENDS_A_WORLD = ("end_sessions", "change_password", "rotate_own_token", "end_brand", "erase_household", "erase_me")
REAL = 0.9
"""How often an id is one of something that exists."""
TIMEOUT_S = 30.0
LONGEST_LINE = 32_000
"""Characters of a request's first line that an HTTP server reads at most."""


class Fuzzed:
    """A server with a world on it, and what it was asked and answered."""

    def __init__(self, url: str, operator: str) -> None:
        self.url, self.operator = url, operator
        self.world = World("")
        self.answers: dict[str, Counter[int]] = defaultdict(Counter)
        self.wrong: dict[tuple[str, str], str] = {}
        self.rng = random.Random(None if EXAMPLES else 1)
        self.http = requests.Session()

    async def build(self) -> None:
        """Make the world."""
        async with aiohttp.ClientSession() as http:
            self.world = await make_world(Api(http, self.url, self.operator), "zzamber")
        for collection in ("accounts", "keys"):  # not those by which it is asked
            self.world.ids[collection] = self.world.ids[collection][:1]

    async def renew(self) -> None:
        """Sign the owner in again."""
        async with aiohttp.ClientSession() as http:
            await sign_in(Api(http, self.url, self.operator), self.world, "owner")

    def ask(self, operation: Operation, case: Any, caller: str) -> None:
        """Send a case as somebody, and hold the answer against the description."""
        self._fill(operation, case)
        token = self.operator if caller == "operator" else self.world.tokens[caller]
        headers = {"Authorization": f"Bearer {token}"}
        response = case.call(
            base_url=f"{self.url}/api/v1", headers=headers, timeout=TIMEOUT_S, session=self.http, allow_redirects=False
        )
        if len(response.request.path_url) > LONGEST_LINE:
            return  # refused before it is known for whom it is
        self.answers[operation.name][response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for each in group.exceptions:
                shown = f"{caller}: {response.status_code} {response.text[:300]}\n{case.as_curl_command()[:600]}"
                self.wrong.setdefault((operation.name, each.title), f"{each.message[:400]}\n{shown}")
        else:
            self._learn(operation, response)

    def _fill(self, operation: Operation, case: Any) -> None:
        """Real ids, where ids go; and no waiting."""
        for collection, name in re.findall(r"([a-z-]+)/\{(\w+)\}", operation.path):
            known = self.world.ids.get(collection)
            if known and self.rng.random() < REAL:
                outer = collection in ("brands", "households")  # the first has everything that the rest of a path names
                case.path_parameters[name] = known[0] if outer else self.rng.choice(known)
        if case.query and "wait_s" in case.query:
            case.query["wait_s"] = 0
        if operation.query is not None and "confirm" in operation.query.__struct_fields__ and self.rng.random() < REAL:
            subject = next(iter(reversed(list(case.path_parameters.values()))), self.world.accounts["owner"])
            case.query = {"confirm": subject}
        for field, collections in COLLECTIONS.items() if isinstance(case.body, dict) else ():
            known = [each for collection in collections for each in self.world.ids.get(collection, ())]
            if isinstance(case.body.get(field), str) and known and self.rng.random() < REAL:
                case.body[field] = self.rng.choice(known)

    def _learn(self, operation: Operation, response: Any) -> None:
        """What was made is there to be asked for."""
        last = operation.path.rpartition("/")[2]
        if response.status_code == 201 and "json" in response.headers.get("Content-Type", ["?"])[0]:
            made = response.json()
            id = made.get("id") if isinstance(made, dict) else None
            if isinstance(id, str) and last in self.world.ids:
                self.world.ids[last] = [*self.world.ids[last][:4], id]


@pytest.fixture
def fuzzed(serve: Callable[..., Any], tmp_path: Path) -> Iterator[Fuzzed]:
    folder = tmp_path / "data"
    folder.mkdir()
    server = serve(*(word for each in QUIET for word in ("--set", each)), data_dir=folder)
    made = Fuzzed(server.url, asyncio.run(_operator_key(folder)))
    asyncio.run(made.build())
    yield made
    made.http.close()
    assert "Traceback" not in server.log, server.log[-4_000:]


async def _operator_key(folder: Path) -> str:
    database = await open_database(folder / "entendre.db")
    keys = ApiKeys(database, SystemClock())
    token, _ = await keys.add("operator")
    await keys.close()
    await database.close()
    return token


def described(url: str) -> dict[str, Any]:
    """Operations of the description by name."""
    generation = GenerationConfig(with_security_parameters=False, deterministic=not EXAMPLES)
    project = ProjectConfig(base_url=f"{url}/api/v1", generation=generation)
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", config=config)
    found = (each.ok() for each in schema.get_all_operations())
    return {each.definition.raw["operationId"]: each for each in found}


def draw(fuzzed: Fuzzed, operation: Operation, strategy: Any, callers: tuple[str, ...], examples: int) -> None:
    """Ask with so many drawn cases, each as one of the callers."""
    turns = iter(range(1 << 30))

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=not EXAMPLES,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=strategy)
    def ask(case: Any) -> None:
        fuzzed.ask(operation, case, callers[next(turns) % len(callers)])

    with suppress(hypothesis.errors.Unsatisfiable):  # nothing can be wrong about a request that carries nothing
        ask()


def in_order(operation: Operation) -> tuple[int, bool, int]:
    rank = ENDS_A_WORLD.index(operation.name) + 1 if operation.name in ENDS_A_WORLD else 0
    ends = ENDS.match(operation.name) is not None
    return rank, ends, -operation.path.count("/") if ends else 0


def test_every_operation_answers_as_it_is_described(fuzzed: Fuzzed) -> None:
    shown = described(fuzzed.url)
    examples = EXAMPLES or USUAL
    assert {each.name for each in OPERATIONS} - set(shown) == {"get_openapi"}, "it describes all but itself"
    for operation in sorted((each for each in OPERATIONS if each.name in shown), key=in_order):
        scope = operation.permission.value.partition(".")[0] if operation.permission is not None else ""
        holders, one = HOLDERS.get(scope, CALLERS), shown[operation.name]
        others = tuple(each for each in CALLERS if each not in holders)
        positive = one.as_strategy(generation_mode=GenerationMode.POSITIVE)
        if others:
            draw(fuzzed, operation, positive, others, len(others))
        draw(fuzzed, operation, positive, holders, examples)
        negative = one.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        draw(fuzzed, operation, negative, holders, max(2, examples // 3))
        if operation.name == "end_sessions":
            asyncio.run(fuzzed.renew())
    granted = {name for name, counts in fuzzed.answers.items() if any(status < 300 for status in counts)}
    statuses = sum(fuzzed.answers.values(), Counter())
    print(f"{statuses.total()} cases; {len(granted)} of {len(OPERATIONS)} operations reached with 2xx; {statuses}")
    print("not:", sorted({each.name for each in OPERATIONS} - granted))
    assert not fuzzed.wrong, "\n\n".join(f"{name}: {title}\n{text}" for (name, title), text in fuzzed.wrong.items())
    assert len(granted) >= GRANTED
