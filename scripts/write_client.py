"""Write the Python client's groups from the API's own list of operations: run it after one is added or changed."""

from __future__ import annotations

import keyword
import re
import subprocess
import sys
import types
import typing
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

GROUPS = Path(__file__).resolve().parent.parent / "src" / "entendre" / "clients" / "api" / "groups"
HEAD = '"""{doc} Written by scripts/write_client.py."""\n\nfrom __future__ import annotations\n\n'
PAGING = ("after", "limit")


@dataclass
class Imports:
    """What a module must import, by module."""

    names: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, module: str, name: str) -> str:
        """Import a name; returns it."""
        self.names[module].add(name)
        return name

    def text(self) -> str:
        """The import lines, sorted as ruff sorts them."""
        standard = {name for name in self.names if name.split(".")[0] in sys.stdlib_module_names}
        ours = {name for name in self.names if name.startswith("entendre")}
        blocks = (standard, set(self.names) - standard - ours, ours)
        lines = [
            "\n".join(f"from {module} import {', '.join(sorted(self.names[module]))}" for module in sorted(block))
            for block in blocks
            if block
        ]
        return "\n\n".join(lines) + "\n"


def rendered(kind: Any, imports: Imports) -> str:
    """A type as source, with what it needs imported."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return rendered(arguments[0], imports)
    if kind is None or kind is types.NoneType:
        return "None"
    if kind is Any or kind is object:
        return "object"
    if kind is msgspec.UnsetType:
        return imports.add("msgspec", "UnsetType")
    if origin in (typing.Union, types.UnionType):
        parts = [rendered(each, imports) for each in arguments]
        parts.sort(key=lambda part: part == "None")
        return " | ".join(dict.fromkeys(parts))
    if origin is typing.Literal:
        imports.add("typing", "Literal")
        return f"Literal[{', '.join(repr(each) for each in arguments)}]".replace("'", '"')
    if origin in (list, tuple, set, frozenset, Sequence):
        return f"{imports.add('collections.abc', 'Sequence')}[{rendered(arguments[0], imports)}]"
    if origin in (dict, Mapping):
        inner = ", ".join(rendered(each, imports) for each in arguments)
        return f"{imports.add('collections.abc', 'Mapping')}[{inner}]"
    if kind in (list, dict):
        name = imports.add("collections.abc", "Sequence" if kind is list else "Mapping")
        return f"{name}[object]" if kind is list else f"{name}[str, object]"
    if origin is not None:
        inner = ", ".join(rendered(each, imports) for each in arguments)
        return f"{rendered(origin, imports)}[{inner}]"
    if kind.__module__ == "builtins":
        return str(kind.__name__)
    return imports.add(kind.__module__, kind.__name__)


def answer_type(kind: Any, imports: Imports) -> str:
    """The type of an answer: an object without fields of its own is a dict."""
    if typing.get_origin(kind) is dict or kind is dict:
        return "dict[str, object]"
    return rendered(kind, imports)


@dataclass(frozen=True)
class Given:
    """One argument of a method. `wire`: its name in the body or the query."""

    name: str
    wire: str
    kind: str
    default: str


def arguments_of(model: Any, imports: Imports, absent: str) -> list[Given]:
    """The fields of a body or a query as arguments. `absent`: the default of what need not be given, UNSET or None."""
    given = []
    for each in msgspec.structs.fields(model):
        kind = rendered(each.type, imports)
        if not each.required:
            marker = "None" if absent == "None" else imports.add("msgspec", "UnsetType")
            if absent == "UNSET":
                imports.add("msgspec", "UNSET")
            parts = [part for part in kind.split(" | ") if part not in ("UnsetType", marker)]
            kind = " | ".join(sorted([*parts, marker], key=lambda part: part == "None"))
        given.append(Given(argument(each.name), each.encode_name, kind, "" if each.required else absent))
    return sorted(given, key=lambda each: bool(each.default))


def argument(name: str) -> str:
    """A name that may be an argument."""
    return f"{name}_" if keyword.iskeyword(name) else name


def method_name(operation: str, tag: str) -> str:
    """What an operation is called in its group: its name without the group's noun."""
    nouns = {*words(tag), *(singular(each) for each in words(tag))}
    left = [word for word in operation.split("_") if word not in nouns]
    return "_".join(left) or operation


def words(tag: str) -> list[str]:
    """The words of a tag, in lower case."""
    return re.findall(r"[a-z0-9]+", tag.lower())


def singular(noun: str) -> str:
    """One of them."""
    return noun[:-3] + "y" if noun.endswith("ies") else noun.removesuffix("s")


def group_name(tag: str) -> str:
    """The attribute of the client that holds a tag's operations."""
    return "_".join(words(tag))


def class_name(tag: str) -> str:
    """The class of a tag's operations."""
    return "".join(word.capitalize() for word in words(tag))


def item_of(reply: Any) -> Any | None:
    """The type of a page's records; None for what is no page."""
    hints = page_fields(reply)
    data, following = hints.get("data"), hints.get("next")
    if data is None or following is None or typing.get_origin(data) not in (list, tuple):
        return None
    return typing.get_args(data)[0]


def page_fields(reply: Any) -> dict[str, Any]:
    """The fields of a reply, its parameters put in."""
    kind = typing.get_origin(reply) or reply
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {}
    return {each.name: each.type for each in msgspec.structs.fields(reply)}


def names_in_group(operations: Sequence[Any], tag: str) -> dict[str, str]:
    """Operation to method; a device's own, and two that would be called the same, keep their whole names."""
    own = {each.name for each in operations if each.path.startswith("/device/")}
    short = {each.name: each.name if each.name in own else method_name(each.name, tag) for each in operations}
    taken = list(short.values())
    return {
        name: name if taken.count(method) > 1 or keyword.iskeyword(method) else method for name, method in short.items()
    }


def method_source(operation: Any, method: str, imports: Imports) -> str:
    """One operation as a method."""
    path = re.findall(r"{(\w+)}", operation.path)
    query = arguments_of(operation.query, imports, "None") if operation.query else []
    body, extra, sent = body_of(operation.body, imports)
    item = item_of(operation.reply)
    named = body + query
    if operation.etag and operation.method != "GET":
        named.append(Given("if_match", "", "str | int | None", "None"))
    if operation.idempotent:
        named.append(Given("idempotency_key", "", "str | None", "None"))
    taken = [*path, *(each.name for each in named)]
    assert len(taken) == len(set(taken)), f"{operation.name}: two arguments of one name"
    signature = ["self", *(f"{each}: str" for each in path), *extra]
    if named:
        signature += ["*", *(parameter(each) for each in named)]
    reply = "None" if operation.reply is None else answer_type(operation.reply, imports)
    handed = [f'ROUTES["{method}"]']
    handed += [] if reply == "None" else [reply]
    handed.append("{" + ", ".join(f'"{each}": {each}' for each in path) + "}")
    asked = "{" + ", ".join(f'"{each.wire}": {each.name}' for each in query) + "}"
    if item is not None:
        result = f"{imports.add('collections.abc', 'AsyncIterator')}[{rendered(item, imports)}]"
        lines = [f"return self._every({', '.join([*handed, asked])})"]
        return shaped("def", method, signature, result, f"{operation.summary} Raises: ApiError.", lines)
    handed += [f"query={asked}"] if query else []
    handed += [f"body={sent}"] if sent else []
    handed += [f"{each.name}={each.name}" for each in named if not each.wire]
    call = f"await self._{'do' if reply == 'None' else 'ask'}({', '.join(handed)})"
    lines = [call if reply == "None" else f"return {call}"]
    return shaped("async def", method, signature, reply, f"{operation.summary} Raises: ApiError.", lines)


def body_of(model: Any, imports: Imports) -> tuple[list[Given], list[str], str]:
    """A body's fields as arguments, or it as one; and the expression that is sent."""
    if model is None:
        return [], [], ""
    if isinstance(model, type) and issubclass(model, msgspec.Struct):
        fields = arguments_of(model, imports, "UNSET")
        return fields, [], "{" + ", ".join(f'"{each.wire}": {each.name}' for each in fields) + "}"
    return [], [f"body: {rendered(model, imports)}"], "body"


def parameter(given: Given) -> str:
    """An argument as it stands in a signature."""
    return f"{given.name}: {given.kind}" + (f" = {given.default}" if given.default else "")


def shaped(how: str, name: str, signature: list[str], result: str, summary: str, lines: list[str]) -> str:
    """A method's source."""
    inner = "\n".join(f"        {line}" for line in lines)
    return f'    {how} {name}({", ".join(signature)}) -> {result}:\n        """{summary}"""\n{inner}\n'


def route_source(operation: Any, method: str) -> str:
    """A line of the table of routes."""
    more = ", idempotent=True" if operation.idempotent else ""
    if operation.accepts != "application/json":
        more += f', content_type="{operation.accepts}"'
    return f'    "{method}": Route("{operation.name}", "{operation.method}", "{operation.path}"{more}),\n'


def is_json(operation: Any) -> bool:
    """Whether an operation takes and gives JSON; the others are written by hand."""
    return bool(operation.produces == "application/json" and operation.accepts.endswith("json"))


def group_source(tag: str, operations: Sequence[Any]) -> str:
    """The module of one group."""
    imports = Imports()
    imports.add("entendre.clients.api.group", "Group")
    imports.add("entendre.clients.api.transport", "Route")
    names = names_in_group(operations, tag)
    methods = [method_source(each, names[each.name], imports) for each in operations]
    head = HEAD.format(doc=f"The operations of {' '.join(words(tag))}.")
    table = "ROUTES = {\n" + "".join(route_source(each, names[each.name]) for each in operations) + "}\n"
    group = f'class {class_name(tag)}(Group):\n    """The operations of {" ".join(words(tag))}."""\n\n'
    return head + imports.text() + "\n" + table + "\n\n" + group + "\n".join(methods)


def sources(operations: Sequence[Any]) -> dict[str, str]:
    """Every generated module, by file name."""
    by_tag: dict[str, list[Any]] = defaultdict(list)
    for each in operations:
        if is_json(each):
            by_tag[each.tag].append(each)
    files = {f"{group_name(tag)}.py": group_source(tag, each) for tag, each in by_tag.items()}
    files["__init__.py"] = groups_source(sorted(by_tag))
    return files


def groups_source(tags: Sequence[str]) -> str:
    """The module that holds the groups; each is imported when it is first used, so that a command starts quickly."""
    named = [(group_name(tag), class_name(tag)) for tag in tags]
    types = "".join(f"    from entendre.clients.api.groups.{name} import {kind}\n" for name, kind in named)
    head = HEAD.format(doc="The API's operations in groups.")
    head += "from functools import cached_property\nfrom typing import TYPE_CHECKING\n\n"
    head += f"from entendre.clients.api.transport import Transport\n\nif TYPE_CHECKING:\n{types}\n"
    names = "".join(f'    "{name}",\n' for name, _ in named)
    body = f'NAMES = (\n{names})\n\n\nclass Groups:\n    """Every group of operations."""\n\n'
    body += "    def __init__(self, transport: Transport) -> None:\n        self._transport = transport\n"
    for name, kind in named:
        body += f"\n    @cached_property\n    def {name}(self) -> {kind}:\n"
        body += f'        """The operations of {name.replace("_", " ")}."""\n'
        body += f"        from entendre.clients.api.groups.{name} import {kind}\n\n"
        body += f"        return {kind}(self._transport)\n"
    return f"{head}{body}"


def write(operations: Sequence[Any]) -> None:
    """Write the modules, and remove those of groups that are gone."""
    files = sources(operations)
    GROUPS.mkdir(exist_ok=True)
    for old in set(GROUPS.glob("*.py")) - {GROUPS / name for name in files}:
        old.unlink()
    for name, text in files.items():
        (GROUPS / name).write_text(text, encoding="utf-8")
    for step in (("format", "--quiet"), ("check", "--fix", "--quiet"), ("format", "--quiet")):
        subprocess.run([sys.executable, "-m", "ruff", *step, str(GROUPS)], check=True)


if __name__ == "__main__":
    from entendre.web.api.routes import OPERATIONS

    write(OPERATIONS)
