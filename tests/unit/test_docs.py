"""The documents say what the program does."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from entendre.cli import COMMANDS, available_commands, build_parser
from entendre.config import describe_settings, settings_table
from entendre.core.actions import ACTION_TYPES, Trait

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "entendre"
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
PLACEHOLDERS = {"FILE…": "FILE", "…": ""}


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def shell_blocks(text: str) -> Iterator[str]:
    for block in re.findall(r"```(?:sh|bash|console)\n(.*?)```", text, flags=re.DOTALL):
        joined = block.replace("\\\n", " ")
        yield from (line.strip().removeprefix("$ ") for line in joined.splitlines() if line.strip())


def commands_of(pages: list[Path]) -> Iterator[tuple[str, str]]:
    for page in pages:
        for line in shell_blocks(text_of(page)):
            for part in re.split(r"\s(?:&&|\|\|?|;)\s", line):
                yield page_name(page), part.strip()


def accepts(line: str) -> bool:
    """Whether the command line parser takes this line."""
    words = shlex.split(line, comments=True)[1:]
    names = {command.name for command in available_commands()}
    parser = build_parser(next((word for word in words if word in names), None))
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            parser.parse_args(words)
        except SystemExit as ended:
            return ended.code == 0
    return not said.getvalue()


OURS = [
    pytest.param(line, id=f"{page}: {line}"[:100])
    for page, line in commands_of(PAGES)
    if line.startswith("entendre ") and "[" not in line and "|" not in line
]


@pytest.mark.parametrize("line", OURS)
def test_documented_commands_exist(line: str) -> None:
    assert accepts(line), line


def test_the_command_test_refuses_what_is_wrong() -> None:
    assert OURS
    assert accepts("entendre serve --port 1")
    assert not accepts("entendre serve --prot 1")
    assert not accepts("entendre dance")


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
    named = {line.split()[1] for page, line in commands_of(PAGES) if line.startswith("make ")}
    named |= {name for page in PAGES for name in re.findall(r"`make ([a-z]+)", text_of(page))}
    assert {"demo", "test", "check"} <= named
    assert named <= targets


def test_the_settings_table_is_current() -> None:
    page = text_of(DOCS / "configuration.md")
    assert settings_table() in page, "run scripts/write_docs.py"


def test_settings_named_anywhere_exist() -> None:
    known = {each.key for each in describe_settings()}
    sections = {key.partition(".")[0] for key in known}
    named = {
        (page_name(page), name)
        for page in PAGES
        for name in re.findall(r"`([a-z]+\.[a-z_]+)(?:=[^`]*)?`", text_of(page))
        if name.split(".")[0] in sections and not name.endswith((".md", ".py", ".json", ".toml"))
    }
    assert not {(page, name) for page, name in named if name not in known and not is_event(name)}


def is_event(name: str) -> bool:
    return name.startswith(("conversation.", "response.", "session.", "input_audio_buffer."))


def error_codes() -> dict[str, str]:
    """Every code that a class of error declares, with where."""
    found = {}
    for module in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(text_of(module))):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                for line in node.body:
                    target = getattr(line, "target", None) or next(iter(getattr(line, "targets", [])), None)
                    value = getattr(line, "value", None)
                    if (
                        isinstance(target, ast.Name)
                        and target.id == "code"
                        and isinstance(getattr(value, "value", None), str)
                    ):
                        found[str(value.value)] = f"{module.name}: {node.name}"
    return found | {"internal": "EntendreError"}


def test_error_codes_are_documented_and_documented_ones_exist() -> None:
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", text_of(DOCS / "errors.md"), flags=re.MULTILINE))
    codes = error_codes()
    assert len(codes) > 8
    assert not {code: where for code, where in codes.items() if code not in documented}
    assert not documented - set(codes)


def test_actions_are_documented() -> None:
    page = text_of(DOCS / "actions.md")
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| (.*?) \|", page, flags=re.MULTILINE))
    for name, kind in ACTION_TYPES.items():
        assert {field.name for field in fields(kind)} == set(re.findall(r"`([a-z]+)`", rows[name])) - {"all"}, name
    assert not [trait.value for trait in Trait if f"`{trait.value}`" not in page]


@pytest.mark.parametrize("command", available_commands(), ids=lambda command: command.name)
def test_every_command_and_flag_is_documented(command) -> None:
    page = text_of(DOCS / "commands.md")
    assert f"\n## {command.name}\n" in page
    shared = page.partition("\n## ")[0]
    section = page.partition(f"\n## {command.name}\n")[2].partition("\n## ")[0]
    flags = set(flags_of(build_parser(command.name)))
    assert not {flag for flag in flags if flag not in section and flag not in shared}


def flags_of(parser) -> Iterator[str]:
    for action in parser._actions:
        for choice in (getattr(action, "choices", None) or {}).values() if isinstance(action.choices, dict) else ():
            yield from flags_of(choice)
        long = [flag for flag in action.option_strings if flag.startswith("--")]
        yield from (flag for flag in long if flag not in ("--help", "--version"))


def test_every_command_is_registered() -> None:
    sections = set(re.findall(r"^## ([a-z]+)$", text_of(DOCS / "commands.md"), flags=re.MULTILINE))
    assert sections == {command.name for command in COMMANDS}


def defined_in(file: Path) -> set[str]:
    names = set()
    for node in ast.parse(text_of(file)).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = [each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
            names |= {f"{node.name}.{each.name}" for each in inner}
    return names


def test_architecture_names_what_exists() -> None:
    named = re.findall(r"`([a-z_/]+\.(?:py|json))(?::([A-Za-z_.]+))?`", text_of(ROOT / "ARCHITECTURE.md"))
    assert len(named) > 20
    missing = []
    for path, name in named:
        file = SOURCE / path
        if path == "skill.py":
            assert list(SOURCE.glob("skills/*/skill.py"))
        elif not file.is_file() and not (ROOT / path).is_file():
            missing.append(path)
        elif name and name not in defined_in(file):
            missing.append(f"{path}:{name}")
    assert not missing


def test_architecture_shows_the_layers_that_are_enforced() -> None:
    import tomllib

    document = tomllib.loads(text_of(ROOT / "pyproject.toml"))
    layers = document["tool"]["importlinter"]["contracts"][0]["layers"]
    enforced = [{name.strip().removeprefix("entendre.") for name in layer.split("|")} for layer in layers]
    for page in (ROOT / "ARCHITECTURE.md", DOCS / "decisions" / "0001-layout.md"):
        picture = re.search(r"`?(cli → .*?→ core)", text_of(page), flags=re.DOTALL)
        assert picture is not None
        shown = [set(re.findall(r"[a-z]+", layer)) for layer in picture.group(1).split("→")]
        assert shown == enforced, page_name(page)


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", text_of(page))
    local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert not [target for target in local if not (page.parent / target).exists()]


def test_the_index_lists_every_page() -> None:
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([^)#]+)\)", text_of(DOCS / "README.md"))}
    pages = {
        page.resolve() for page in DOCS.rglob("*.md") if page.name != "README.md" and "decisions" not in page.parts
    }
    assert not {page_name(page) for page in pages - linked}


def test_every_decision_is_listed() -> None:
    decisions = DOCS / "decisions"
    listed = set(re.findall(r"\]\(([^)]+)\)", text_of(decisions / "README.md")))
    assert {page.name for page in decisions.glob("*.md")} - {"README.md"} == listed


def test_every_decision_says_why_and_what_it_costs() -> None:
    for page in (DOCS / "decisions").glob("0*.md"):
        text = text_of(page)
        assert len(text.splitlines()) <= 45, f"{page.name}: half a page"


def test_the_list_of_operations_is_current() -> None:
    from entendre.web.api.routes import OPERATIONS

    page = text_of(DOCS / "http-api.md")
    assert page == writer().operations_page(OPERATIONS), "run scripts/write_docs.py"
    assert all(f"`{each.method} {each.path}`" in page for each in OPERATIONS)


def test_write_docs_changes_nothing_that_is_current() -> None:
    page = text_of(DOCS / "configuration.md")
    assert writer().with_table(page) == page


def writer() -> ModuleType:
    """scripts/write_docs.py."""
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "scripts" / "write_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["write_docs"] = module
    spec.loader.exec_module(module)
    return module


def test_licence_is_the_whole_apache_text() -> None:
    licence = text_of(ROOT / "LICENSE")
    assert "Version 2.0, January 2004" in licence
    assert "9. Accepting Warranty or Additional Liability." in licence


def test_every_setting_has_a_user() -> None:
    texts = [text_of(file) for file in SOURCE.rglob("*.py") if file.parent.name != "config"]
    users = [text for text in texts if "settings" in text]
    names = {each.key: each.key.partition(".")[2] for each in describe_settings()}
    assert not [key for key, name in names.items() if not any(re.search(rf"\.{name}\b", text) for text in users)]
