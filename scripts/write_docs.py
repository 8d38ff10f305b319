"""Write the generated tables of docs/: run it after a setting changes; a test fails until it was."""

from __future__ import annotations

from pathlib import Path

from entendre.config import settings_table

START = "<!-- settings: written by scripts/write_docs.py -->\n"
END = "<!-- end of settings -->"


def with_table(page: str) -> str:
    """The page with its settings table renewed."""
    before, rest = page.split(START, 1)
    after = rest[rest.index(END) :]
    return before + START + settings_table() + after


if __name__ == "__main__":
    file = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
