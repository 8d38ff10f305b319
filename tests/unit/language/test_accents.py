"""Languages whose accents people leave out, and names that take an article."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entendre.language.pack import WordData
from entendre.language.say import say_form, say_time
from entendre.language.tokens import Tokenizer
from entendre.markets.loader import load_pack


def test_words_are_told_apart_by_an_accent_only_where_the_language_says_so() -> None:
    data = WordData(token_pattern=r"\w+", folded={"é": "e", "ã": "a"}, contractions={"é": "eh"})
    assert Tokenizer(data).words("É amanhã e café") == ("eh", "amanha", "e", "cafe")
    assert Tokenizer(replace(data, folded={})).words("amanhã") == ("amanhã",)


def test_what_was_said_keeps_its_accents() -> None:
    tokens = Tokenizer(load_pack("pt").words).tokenize("põe maçã")
    assert (tokens.words[1], tokens.between(1, 2)) == ("maca", "maçã")


@pytest.mark.parametrize(
    ("name", "with_article", "within"),
    [
        ("Luz da sala", "a Luz da sala", None),
        ("Cozinha", "a Cozinha", "na Cozinha"),
        ("Ventilador", "o Ventilador", "no Ventilador"),
        ("Cinema", "o Cinema", "no Cinema"),
        ("Cortinas", "as Cortinas", "nas Cortinas"),
    ],
)
def test_a_name_takes_the_article_of_its_first_word(name: str, with_article: str, within: str | None) -> None:
    pack = load_pack("pt")
    assert say_form(pack, name, "the") == with_article
    if within is not None:
        assert say_form(pack, name, "in") == within


@pytest.mark.parametrize(
    ("time", "said"), [("12:00", "ao meio-dia"), ("01:00", "à 1 hora"), ("07:30", "às 7:30"), ("22:00", "às 22 horas")]
)
def test_a_time_takes_the_small_words_before_it(time: str, said: str) -> None:
    assert say_time(load_pack("pt"), time, "at") == said
