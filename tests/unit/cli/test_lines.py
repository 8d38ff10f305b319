"""Lines of the log: which speaker, and nothing that breaks a line."""

from __future__ import annotations

import logging

from entendre.cli.lines import MAX_VALUE_CHARS, Lines


def written(message: str, name: str = "entendre.gateways", exc: bool = False, **fields: object) -> str:
    record = logging.LogRecord(name, logging.WARNING, "x.py", 1, message, (), None)
    if exc:
        try:
            raise ValueError("broken")
        except ValueError as error:
            record.exc_info = (ValueError, error, error.__traceback__)
    vars(record).update(fields)
    return Lines().format(record).split(" WARNING ", 1)[1]


def test_a_line_says_which_speaker_and_why() -> None:
    line = written("satellite lost", device="kitchen", code="lost", detail="it was lost", name_of=None)
    assert line == 'entendre.gateways satellite lost device=kitchen code=lost detail="it was lost"'


def test_a_peer_writes_no_lines_and_steers_no_terminal() -> None:
    line = written("dial-in from a\nWARNING all is well\x1b[2J", device="b\r\nc\u202e" + "x" * 1000)
    assert line.isprintable()
    assert "\\nWARNING" in line
    assert len(line) < MAX_VALUE_CHARS + 120


def test_others_fields_are_left_out_and_tracebacks_stay_readable() -> None:
    assert written("GET /", name="aiohttp.access", remote_address="::1") == "aiohttp.access GET /"
    assert written("failed", exc=True, device="k").splitlines()[0] == "entendre.gateways failed device=k"
    assert written("failed", exc=True).splitlines()[-1] == "ValueError: broken"
