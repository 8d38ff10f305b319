"""Write the generated parts of docs/: run it after a setting or an action changes; a test fails until it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from entendre.config import settings_table
from entendre.core.action_schema import action_schema
from entendre.web.api.openapi import codes_of
from entendre.web.api.operation import Operation
from entendre.web.api.routes import OPERATIONS

START = "<!-- settings: written by scripts/write_docs.py -->\n"
END = "<!-- end of settings -->"


def with_table(page: str) -> str:
    """The page with its settings table renewed."""
    before, rest = page.split(START, 1)
    after = rest[rest.index(END) :]
    return before + START + settings_table() + after


def operations_page(operations: Sequence[Operation]) -> str:
    """The list of the API's operations."""
    lines = [
        "# Operations of the API",
        "",
        "Below `/api/v1`; [api.md](api.md) says who may call, and what all of them have in common. Written by",
        "`scripts/write_docs.py`. Permissions are those of [access.py](../src/entendre/fleet/access.py); *open* ones",
        "let callers in themselves. ⟳: takes an Idempotency-Key. ◇: has an ETag, or honours If-Match. Beyond the",
        "errors that every operation of its kind may answer, each lists its own.",
    ]
    for tag in dict.fromkeys(each.tag for each in operations):
        lines += [
            "",
            f"## {tag}",
            "",
            "| operation | what it does | permission | errors of its own |",
            "|---|---|---|---|",
        ]
        lines += [_row(each) for each in operations if each.tag == tag]
    return "\n".join(lines) + "\n"


def _row(operation: Operation) -> str:
    marks = (" ⟳" if operation.idempotent else "") + (" ◇" if operation.etag else "")
    permission = "*open*" if operation.permission is None else f"`{operation.permission.value}`"
    own = ", ".join(f"`{code}`" for code in codes_of(operation) if code in operation.errors)
    return f"| `{operation.method} {operation.path}`{marks} | {operation.summary} | {permission} | {own} |"


if __name__ == "__main__":
    docs = Path(__file__).resolve().parent.parent / "docs"
    file = docs / "configuration.md"
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
    schema = json.dumps(action_schema(), indent=1, ensure_ascii=False)
    (docs / "actions.schema.json").write_text(schema + "\n", encoding="utf-8")
    (docs / "http-api.md").write_text(operations_page(OPERATIONS), encoding="utf-8")
