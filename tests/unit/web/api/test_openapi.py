"""The description: whole, the same every time, and open."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from apisite import serve_api

from entendre.web.api.openapi import codes_of, described
from entendre.web.api.operation import JSON, Operation
from entendre.web.api.routes import OPERATIONS
from entendre.web.faults import STATUSES

BY_NAME = [pytest.param(each, id=each.name) for each in OPERATIONS]


def test_it_lists_every_operation_and_is_the_same_every_time() -> None:
    document = json.loads(described(OPERATIONS))
    listed = {each["operationId"] for path in document["paths"].values() for each in path.values()}
    assert listed == {each.name for each in OPERATIONS}
    assert len(listed) == len(OPERATIONS)
    assert described(OPERATIONS) == described(OPERATIONS)
    assert len({(each.method, each.path) for each in OPERATIONS}) == len(OPERATIONS)


def test_every_reference_leads_somewhere() -> None:
    text = described(OPERATIONS).decode()
    named = set(re.findall(r"#/components/schemas/([^\"]+)", text))
    assert named <= set(json.loads(text)["components"]["schemas"])


@pytest.mark.parametrize("operation", BY_NAME)
def test_operations_are_whole(operation: Operation) -> None:
    assert operation.summary.endswith(".")
    assert re.fullmatch(r"[a-z][a-z0-9_]*", operation.name)
    assert operation.method in {"GET", "POST", "PUT", "PATCH", "DELETE"}
    scope = operation.permission.value.partition(".")[0] if operation.permission is not None else None
    assert scope not in ("brand", "household") or f"{{{scope}}}" in operation.path
    assert operation.method != "GET" or operation.body is None
    assert not operation.idempotent or operation.produces == JSON
    assert all(code in STATUSES for code in codes_of(operation))


async def test_it_is_served_to_everybody(tmp_path: Path) -> None:
    site = await serve_api(tmp_path, require_key=True)
    status, document, _ = await site.ask("GET", "/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    await site.close()
