from __future__ import annotations

import pytest

from entendre.language.called import without_call
from entendre.language.tokens import Tokenizer
from entendre.markets.loader import load_pack


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        ("Hey, my craft, turn on the kitchen lights.", "turn on the kitchen lights"),
        ("Hey Raspi, turn on the lights", "turn on the lights"),
        ("hey mikroft what time is it", "what time is it"),
        ("Okay, Naboo. Set a timer for ten minutes", "Set a timer for ten minutes"),
        ("Hey Bob, turn off the lights", None),
        ("hey guys turn off the lights", None),
        ("hey Nancy what time is it", None),
        ("hello darling play some music", None),
        ("ok great turn on the lights", None),
        ("hey mycroft", None),
        ("Hey raspy stop", None),
        ("the raspy voice turned on the lights", None),
    ],
)
def test_a_misheard_wake_word_is_told_from_other_peoples_names(said: str, rest: str | None) -> None:
    words = load_pack("en").words
    found = without_call(Tokenizer(words).tokenize(said), words)
    assert (None if found is None else found.between(0, len(found.words))) == rest
