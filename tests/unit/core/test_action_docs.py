"""docs/actions.schema.json says the same as core/actions.py."""

from __future__ import annotations

import json
from pathlib import Path

from entendre.core.action_schema import action_schema


def test_the_schema_is_written_out(repository: Path) -> None:
    """Renew it with scripts/write_docs.py."""
    written = json.loads((repository / "docs" / "actions.schema.json").read_text(encoding="utf-8"))
    assert written == action_schema()


def test_choices_and_formats_are_in_the_schema() -> None:
    kinds = {kind["properties"]["type"]["const"]: kind for kind in action_schema()["oneOf"]}
    assert kinds["change_timer"]["properties"]["change"]["enum"] == ["pause", "resume", "cancel", "restart", "add"]
    assert kinds["create_alarm"]["required"] == ["type", "time"]
    assert kinds["create_alarm"]["properties"]["time"]["pattern"].startswith("^")
    assert kinds["set_trait"]["properties"]["value"] == {
        "anyOf": [{"type": "boolean"}, {"type": "integer"}, {"type": "number"}, {"type": "string"}]
    }
