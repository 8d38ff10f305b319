"""Every language's skill files say and ask what the English ones do."""

from __future__ import annotations

from typing import Any

import pytest

from entendre.home.demo import demo_home
from entendre.language.replies import Replies
from entendre.markets.loader import languages, load_pack, read_yaml
from entendre.skills.plugins import BUILT_IN
from entendre.skills.speech import PHRASES, load_replies

OTHERS = [tag for tag in languages() if tag != "en"]
FILES = [PHRASES, *sorted(folder.parent for folder in BUILT_IN.glob("*/en.yaml") if folder.parent != PHRASES)]
FREE_TERMS = {"person", "list_words", "station", "not_media", "answer", "nouns", "outdoors", "list_nouns"}
"""Tables whose keys are words of the language itself, or of which a language may need fewer."""


def document(folder: Any, language: str) -> dict[str, Any]:
    path = folder / f"{language}.yaml"
    assert path.is_file(), f"{folder.name} has no {language}.yaml"
    return read_yaml(path)


def replies(folder: Any, language: str) -> Replies:
    return load_replies(document(folder, language), load_pack(language))


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("folder", FILES, ids=lambda folder: folder.name)
class TestFile:
    def test_has_sentences_for_every_intent(self, folder: Any, language: str) -> None:
        wanted = set(document(folder, "en").get("intents") or ())
        assert wanted == set(document(folder, language).get("intents") or ())

    def test_has_every_reply_with_the_same_values(self, folder: Any, language: str) -> None:
        english, own = replies(folder, "en"), replies(folder, language)
        assert own.keys == english.keys
        unknown = {key: own.placeholders(key) - english.placeholders(key) for key in english.keys}
        assert {key: names for key, names in unknown.items() if names} == {}
        silent = {key: english.placeholders(key) - own.placeholders(key) for key in english.keys}
        assert {key: names for key, names in silent.items() if names - {"count", "verb"}} == {}

    def test_has_every_table_of_words(self, folder: Any, language: str) -> None:
        english, own = document(folder, "en").get("terms") or {}, document(folder, language).get("terms") or {}
        assert english.keys() <= own.keys() | FREE_TERMS
        missing = {
            name: set(words) - set(own.get(name, ())) for name, words in english.items() if name not in FREE_TERMS
        }
        assert {name: keys for name, keys in missing.items() if keys} == {}

    def test_says_nothing_in_english(self, folder: Any, language: str) -> None:
        english = document(folder, "en").get("replies") or {}
        own = document(folder, language).get("replies") or {}
        same = {
            key
            for key, text in english.items()
            if own.get(key) == text and any(word.isalpha() for word in text.split())
        }
        assert {key for key in same if "{" not in english[key]} <= {"done", "declined", "ok"}


@pytest.mark.parametrize("language", OTHERS)
def test_the_names_of_lists_hold_the_word_for_a_list_that_replies_would_add(language: str) -> None:
    [folder] = (each for each in FILES if each.name == "lists")
    nouns = tuple(replies(folder, language).say("list_noun").casefold().split("|"))
    for known in demo_home([language]).lists:
        name = known.names[language][0].casefold()
        assert name.startswith(nouns) or name.endswith(nouns)
