"""The client knows every operation of the API, each as the API has it now."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

from entendre.cli.fleet.api import methods_of
from entendre.clients.api import Entendre
from entendre.clients.api.client import BY_HAND
from entendre.web.api.routes import OPERATIONS

ROOT = Path(__file__).resolve().parents[4]
GROUPS = ROOT / "src" / "entendre" / "clients" / "api" / "groups"


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    """scripts/write_client.py."""
    spec = importlib.util.spec_from_file_location("write_client", ROOT / "scripts" / "write_client.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["write_client"] = module
    spec.loader.exec_module(module)
    return module


def meaning(source: str) -> str:
    """A module without its layout and the order and grouping of its imports, which ruff chooses."""
    tree = ast.parse(source)
    names = sorted(
        f"{node.module}.{each.name}" for node in tree.body if isinstance(node, ast.ImportFrom) for each in node.names
    )
    tree.body = [node for node in tree.body if not isinstance(node, ast.ImportFrom)]
    return f"{names}\n{ast.dump(tree)}"


def test_the_groups_are_current(writer: ModuleType) -> None:
    wanted = writer.sources(OPERATIONS)
    assert {file.name for file in GROUPS.glob("*.py")} == set(wanted), "run scripts/write_client.py"
    for name, source in wanted.items():
        assert meaning((GROUPS / name).read_text()) == meaning(source), f"{name}: run scripts/write_client.py"


def test_every_operation_has_one_method() -> None:
    client = Entendre("http://localhost")
    found = [name for name, _ in methods_of(client)] + list(BY_HAND)
    assert sorted(found) == sorted(each.name for each in OPERATIONS)
    for path in BY_HAND.values():
        group, _, method = path.partition(".")
        assert callable(getattr(getattr(client, group), method)), path


def test_arguments_are_those_of_the_operation() -> None:
    methods = dict(methods_of(Entendre("http://localhost")))
    for operation in OPERATIONS:
        if operation.name in BY_HAND:
            continue
        given = set(inspect.signature(methods[operation.name]).parameters)
        assert {part[1:-1] for part in operation.path.split("/") if part.startswith("{")} <= given
        assert operation.idempotent == ("idempotency_key" in given), operation.name
        assert (operation.etag and operation.method != "GET") == ("if_match" in given), operation.name
