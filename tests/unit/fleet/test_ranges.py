"""Range and Content-Range."""

from __future__ import annotations

import pytest

from entendre.fleet.ranges import UNSATISFIABLE, Stretch, sent_stretch, stretch_of


@pytest.mark.parametrize(
    ("header", "stretch"),
    [
        (None, None),
        ("bytes=0-0", Stretch(0, 1)),
        ("bytes=2-5", Stretch(2, 6)),
        ("Bytes = 2-", Stretch(2, 10)),
        ("bytes=2-99", Stretch(2, 10)),
        ("bytes=-3", Stretch(7, 10)),
        ("bytes=-99", Stretch(0, 10)),
        ("bytes=10-", UNSATISFIABLE),
        ("bytes=10-12", UNSATISFIABLE),
        ("bytes=-0", UNSATISFIABLE),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("lines=0-1", None),
        ("bytes=" + "1" * 200 + "-", None),
    ],
)
def test_what_is_asked_for(header: str | None, stretch: Stretch | None) -> None:
    assert stretch_of(header, 10) == stretch


@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("bytes 0-9/10", (Stretch(0, 10), 10)),
        ("bytes 4-9/20", (Stretch(4, 10), 20)),
        ("bytes 4-20/20", None),
        ("bytes 9-4/20", None),
        ("bytes */20", None),
        ("bytes 0-9/*", None),
        ("", None),
    ],
)
def test_what_is_sent(header: str, sent: tuple[Stretch, int] | None) -> None:
    assert sent_stretch(header) == sent
