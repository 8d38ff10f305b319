"""The house rules that a linter does not know: purity, sizes, names, and no reply text in code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "entendre"
PURE = ("core", "wire", "turn", "language", "fleet")
IMPURE_MODULES = frozenset(
    {
        *("asyncio", "socket", "ssl", "select", "selectors", "socketserver", "http", "urllib", "aiohttp", "requests"),
        *("time", "random", "secrets", "threading", "multiprocessing", "concurrent", "queue", "signal"),
        *("os", "sys", "subprocess", "shutil", "tempfile", "sqlite3", "logging", "uvloop"),
    }
)
IMPURE_CALLS = frozenset({"now", "utcnow", "today", "uuid1", "uuid4", "uuid7", "open", "input", "print", "getenv"})
"""`datetime.now`, `date.today`, `uuid.uuid4` and their kind: the time and chance are given, never asked for.

`uuid7` as our own function takes both as arguments, so a call with arguments is allowed.
"""
LONGEST_MODULE_LINES = 700
LONGEST_FUNCTION_LINES = 60
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|managers?|misc|common|stuff)($|_)")
# A table of states or sentences may be long; a module of logic may not.
LONG_TABLES: frozenset[str] = frozenset()

MODULES = sorted(SOURCE.rglob("*.py"))
PURE_MODULES = [module for module in MODULES if module.relative_to(SOURCE).parts[0] in PURE]


def name_of(module: Path) -> str:
    return str(module.relative_to(SOURCE))


def tree_of(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"), str(module))


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def asks_the_machine(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in {"open", "input", "print"}
    if isinstance(node.func, ast.Attribute) and node.func.attr in IMPURE_CALLS:
        clock_of_a_zone = node.func.attr == "now"
        return clock_of_a_zone or (not node.args and node.func.attr not in {"open", "input", "print"})
    return False


def test_there_is_a_house() -> None:
    assert len(MODULES) > 20
    assert PURE_MODULES


@pytest.mark.parametrize("module", PURE_MODULES, ids=name_of)
def test_pure_packages_know_no_machine(module: Path) -> None:
    tree = tree_of(module)
    bad = {name for name in imported(tree) if name.split(".")[0] in IMPURE_MODULES}
    assert not bad, f"{name_of(module)} imports {sorted(bad)}; pure packages are given what they need"
    lines = [getattr(node, "lineno", 0) for node in ast.walk(tree) if asks_the_machine(node)]
    assert not lines, f"{name_of(module)} asks the machine for time, chance or files in lines {lines}"


def test_the_purity_test_sees_what_it_should() -> None:
    asked = (
        "import datetime, uuid\na = datetime.datetime.now(zone)\nb = uuid.uuid4()\nc = open('x')\nd = date.today()\n"
    )
    assert sum(asks_the_machine(node) for node in ast.walk(ast.parse(asked))) == 4
    given = "a = uuid7(now_ms, entropy)\nb = world.now\nc = self.open\nd = stream.open(words)\n"
    assert not any(asks_the_machine(node) for node in ast.walk(ast.parse(given)))
    assert "socket" in set(imported(ast.parse("def f():\n    import socket\n")))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_sizes_and_names(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    if name_of(module) not in LONG_TABLES:
        assert len(text.splitlines()) <= LONGEST_MODULE_LINES, "split this module"
    assert not FORBIDDEN_NAMES.search(module.stem), "name a module after what it does"
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= LONGEST_FUNCTION_LINES, f"{node.name} has {length} lines"


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_public_things_say_their_contract(module: Path) -> None:
    tree = tree_of(module)
    if module.name == "__init__.py" and not tree.body:
        return
    assert not tree.body or ast.get_docstring(tree), f"{name_of(module)} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{name_of(module)}: {node.name} has no docstring"


SPOKEN = ("skills", "language", "session", "turn", "jobs")
SENTENCE = re.compile(r"^[A-Z][a-z']*(?: [a-z'{}]+){2,}.*[.!?]$")


def spoken_texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Sentences in code that could be said: not docstrings, not messages of errors or logs."""
    silent = {id(inner) for node in ast.walk(tree) if _is_silent(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in silent:
            continue
        if SENTENCE.match(node.value):
            yield node.lineno, node.value


def _is_silent(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise | ast.Assert):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Call) and _is_silent_call(node)


def _is_silent_call(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in {"debug", "info", "warning", "error", "exception", "field"} or name.endswith(("Error", "Failed"))


@pytest.mark.parametrize(
    "module", [each for each in MODULES if each.relative_to(SOURCE).parts[0] in SPOKEN], ids=name_of
)
def test_replies_are_data(module: Path) -> None:
    found = list(spoken_texts(tree_of(module)))
    assert not found, f"{name_of(module)} says {found}: replies belong in a language file"


def test_the_reply_test_sees_a_reply() -> None:
    docstring, log = '"""Plan it for the user now."""', 'log.info("Something was planned.")'
    code = f'def plan():\n    {docstring}\n    {log}\n    return "I turned on the light."\n'
    assert [text for _, text in spoken_texts(ast.parse(code))] == ["I turned on the light."]


def test_no_path_of_a_machine_is_committed(repository: Path) -> None:
    marks = re.compile(r"/wo" + r"rk/(main|shared)|/tm" + r"p/bash_jobs")
    roots = [repository / name for name in ("src", "tests", "docs", "scripts", ".ci", "README.md", "ARCHITECTURE.md")]
    files = [file for root in roots for file in ([root] if root.is_file() else root.rglob("*")) if file.is_file()]
    text_files = [file for file in files if file.suffix in {".py", ".md", ".toml", ".yaml", ".sh", ".json", ".js", ""}]
    found = [str(file) for file in text_files if marks.search(file.read_text(encoding="utf-8", errors="ignore"))]
    assert not found
