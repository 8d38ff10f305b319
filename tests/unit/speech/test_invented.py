"""What Whisper writes for noise counts as nothing heard."""

from __future__ import annotations

import pytest

from entendre.speech.invented import is_seldom_said, without_inventions


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Thanks for watching!", "en", ""),
        ("you", "en", ""),
        ("...", "en", ""),
        ("[Music]", "en", ""),
        ("(door closes) ♪♪", "en", ""),
        ("Turn on the light. Thanks for watching!", "en", "Turn on the light."),
        ("Turn off the light. You", "en", "Turn off the light."),
        ("*sighs* Stop.", "en", "Stop."),
        ("Set an alarm for 7 a.m. tomorrow.", "en", "Set an alarm for 7 a.m. tomorrow."),
        ("Set it to 21.5 degrees", "en", "Set it to 21.5 degrees"),
        ("How are you", "en", "How are you"),
        ("Thank you.", "en", "Thank you."),
        ("Продолжение следует...", "ru", ""),
        ("打开厨房的灯。谢谢观看", "zh", "打开厨房的灯。"),
        ("Thanks for watching!", "de", "Thanks for watching!"),
        ("", "en", ""),
    ],
)
def test_what_nobody_says_is_left_out(text: str, language: str, expected: str) -> None:
    assert without_inventions(text, language) == expected


def test_thanks_may_be_said_or_invented() -> None:
    assert is_seldom_said("Thank you.", "en")
    assert not is_seldom_said("Thank you, stop.", "en")
    assert not is_seldom_said("Thank you.", "tlh")
