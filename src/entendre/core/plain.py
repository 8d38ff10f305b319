"""JSON data as every database keeps it."""

from __future__ import annotations

from typing import Any


def is_plain(document: Any) -> bool:
    """Whether no text in this JSON data, nor a key, has NUL or half a surrogate pair in it."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            if "\0" in value or any("\ud800" <= each <= "\udfff" for each in value):
                return False
        elif isinstance(value, dict):
            waiting += value
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return True
