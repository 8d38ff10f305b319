"""How a line of the log is written: with its fields, and without what would break the line or steer a terminal."""

from __future__ import annotations

import logging

OURS = "entendre"
MAX_VALUE_CHARS = 120
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """Puts the fields of our own lines behind their text: `satellite lost device=kitchen`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """One line; a traceback comes after it."""
        line = _printable(super().formatMessage(record))
        if record.name.partition(".")[0] != OURS:
            return line
        fields = {
            name: value for name, value in vars(record).items() if name not in _STANDARD and value not in (None, "")
        }
        return " ".join(
            [line, *(f"{name}={_value(value)}" for name, value in fields.items() if value not in (None, ""))]
        )


def _value(value: object) -> str:
    text = _printable(str(value))
    text = text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"
    return f'"{text}"' if " " in text else text


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
