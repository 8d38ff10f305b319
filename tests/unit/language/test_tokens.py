"""How text becomes words."""

from __future__ import annotations

import pytest

from entendre.language.pack import WordData
from entendre.language.tokens import Tokenizer


def test_characters_are_taken_for_others_in_words_and_not_in_what_was_said() -> None:
    tokenizer = Tokenizer(WordData(token_pattern="[\u0900-\u097f]+", case={"\u093c": ""}))
    tokens = tokenizer.tokenize("\u092a\u094d\u092f\u093e\u091c\u093c")
    assert tokens.words == ("\u092a\u094d\u092f\u093e\u091c",)
    assert tokens.between(0, 1) == "\u092a\u094d\u092f\u093e\u091c\u093c"


def test_endings_of_known_words_are_taken_off_and_say_what_they_say() -> None:
    data = WordData(
        token_pattern=r"\w+",
        contractions={"lamp": "light"},
        inflections=(("nda$", "", "in"), ("i$", "")),
        inflected=frozenset({"room", "lamp"}),
    )
    words = Tokenizer(data).words
    assert words("roomnda lampi") == ("room", "in", "light")
    assert words("panda taxi") == ("panda", "taxi")


@pytest.mark.parametrize(
    "pasted",
    [
        "вклю\u00adчи чайник",
        "вклю\u200dчи чай\u200bник",
        "\ufeff\u202eвключи чайник\u202c",
        "включи ча\ud83dйник",
        "вкл\x07ючи чайник\x00",
        "включи чайник \U0001f468\u200d\U0001f469\u200d\U0001f467\ufe0f",
    ],
)
def test_what_nobody_sees_is_not_read(pasted: str) -> None:
    tokens = Tokenizer(WordData(token_pattern=r"[^\W\d_]+")).tokenize(pasted)
    assert tokens.words == ("включи", "чайник")
    assert tokens.between(0, 2) == "включи чайник"
