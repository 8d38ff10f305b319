"""Write the generated parts of docs/: run it after a setting or an action changes; a test fails until it was."""

from __future__ import annotations

import json
from pathlib import Path

from entendre.config import settings_table
from entendre.core.action_schema import action_schema

START = "<!-- settings: written by scripts/write_docs.py -->\n"
END = "<!-- end of settings -->"


def with_table(page: str) -> str:
    """The page with its settings table renewed."""
    before, rest = page.split(START, 1)
    after = rest[rest.index(END) :]
    return before + START + settings_table() + after


if __name__ == "__main__":
    docs = Path(__file__).resolve().parent.parent / "docs"
    file = docs / "configuration.md"
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
    schema = json.dumps(action_schema(), indent=1, ensure_ascii=False)
    (docs / "actions.schema.json").write_text(schema + "\n", encoding="utf-8")
