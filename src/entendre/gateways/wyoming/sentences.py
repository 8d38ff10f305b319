"""Text that arrives in pieces, cut where a voice can begin to speak."""

from __future__ import annotations

import re

_END = re.compile(r"[.!?…]+[\"'»”’)\]]*(?=\s)|[。！？｡।॥]+[」』”’）]*|\n+")
"""A full stop of a script that puts spaces after it needs that space to be told from a decimal point."""


class SentenceSplitter:
    """Text in, whole sentences out as soon as their end is sure."""

    def __init__(self) -> None:
        self._rest = ""

    def push(self, text: str) -> list[str]:
        """The sentences that this piece completes."""
        self._rest += text
        sentences: list[str] = []
        start = 0
        for match in _END.finditer(self._rest):
            sentences.append(self._rest[start : match.end()].strip())
            start = match.end()
        self._rest = self._rest[start:]
        return [sentence for sentence in sentences if sentence]

    def flush(self) -> list[str]:
        """What is left, as the last sentence."""
        rest, self._rest = self._rest.strip(), ""
        return [rest] if rest else []
