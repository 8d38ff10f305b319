"""The words of skills in one language: their sentences for understanding, their replies for answering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from entendre.core.errors import ConfigurationError, EntendreError
from entendre.core.home import HomeSnapshot
from entendre.language.formats import formatters
from entendre.language.pack import LanguagePack
from entendre.language.replies import Replies
from entendre.language.sentences import SentenceFile, sentence_file
from entendre.language.understander import Understander
from entendre.markets.home_assistant import base_sentences
from entendre.markets.loader import load_pack, read_yaml
from entendre.markets.spoken import spoken_in
from entendre.skills.plugins import BUILT_IN, BrokenPlugin, LoadedSkills, Plugin

PHRASES = BUILT_IN / "phrases"
"""Folder of what the conversation itself says, one file a language."""

_SOME_DAY = date(2000, 1, 1)


class SkillSpeech:
    """Every skill's sentences and replies in one language; skills whose file is broken are left out."""

    def __init__(
        self,
        pack: LanguagePack,
        phrases: Replies,
        files: Sequence[SentenceFile],
        replies: Mapping[str, Replies],
        broken: Sequence[BrokenPlugin],
    ) -> None:
        self.pack = pack
        self.phrases = phrases
        self.files = files
        self.broken = broken
        self._replies = replies

    def replies_on(self, skill: str, today: date, country: str | None = None) -> Replies:
        """A skill's replies, with dates as seen from today and said as in a country.

        Raises: KeyError for a skill without this language.
        """
        return self._replies[skill].spoken_with(formatters(spoken_in(self.pack, country), today))


@lru_cache(maxsize=256)
def known_language(tag: str) -> str:
    """The tag of the language pack that serves a tag ("en" for "en-US"); the tag itself when none does."""
    try:
        return load_pack(tag.replace("_", "-")).language
    except ConfigurationError:
        return tag


def sentence_path(plugin: Plugin, language: str) -> Path | None:
    """A skill's file in a language, or in its base language."""
    return plugin.sentence_files.get(language) or plugin.sentence_files.get(language.split("-")[0])


def load_speech(skills: LoadedSkills, language: str) -> SkillSpeech:
    """What every skill understands and says in a language; an owner's skill with a broken file is reported instead.

    Raises: ConfigurationError without a pack, InvalidInputError or TemplateError for a built-in skill's file.
    """
    pack = load_pack(language)
    files: list[SentenceFile] = []
    replies: dict[str, Replies] = {}
    broken: list[BrokenPlugin] = []
    for plugin in skills.plugins:
        path = sentence_path(plugin, language)
        if path is None:
            continue
        try:
            file, said = _load(plugin, path, pack)
        except (EntendreError, TypeError, AttributeError, KeyError, ValueError) as error:
            if plugin.folder.parent == BUILT_IN:
                raise
            detail = getattr(error, "detail", "") or str(error)
            broken.append(BrokenPlugin(plugin.name, plugin.folder, f"{path.name}: {detail}"))
            continue
        files.append(file)
        replies[plugin.name] = said
    base = base_sentences(pack.language, skills.by_intent)
    if base is not None:
        files.append(base)
    phrases = load_replies(read_yaml(PHRASES / f"{pack.language}.yaml"), pack)
    return SkillSpeech(pack, phrases, files, replies, broken)


def _load(plugin: Plugin, path: Path, pack: LanguagePack) -> tuple[SentenceFile, Replies]:
    """A skill's sentences and replies; those of an owner's skill are tried out alone first."""
    document = _document(path)
    file = sentence_file(plugin.name, document)
    if plugin.folder.parent != BUILT_IN:
        foreign = sorted(file.intents - plugin.skill.intents)
        if foreign:
            raise ValueError(f"the skill does not answer {', '.join(foreign)}")
        Understander(pack, (file,), HomeSnapshot())
    return file, load_replies(document, pack)


def load_replies(document: Mapping[str, Any], pack: LanguagePack) -> Replies:
    """The replies of a parsed file. Raises: TemplateError."""
    terms = {
        str(table): {str(key): str(word) for key, word in words.items()}
        for table, words in (document.get("terms") or {}).items()
    }
    return Replies(pack.language, document.get("replies") or {}, terms, formatters(pack, _SOME_DAY))


def _document(path: Path) -> dict[str, Any]:
    """A sentence file; a list with `names_of` holds every name of that table (value -> names) beside the file."""
    document = read_yaml(path)
    lists: dict[str, Any] = document.get("lists") or {}
    for name, body in lists.items():
        if isinstance(body, dict) and "names_of" in body:
            table = read_yaml(path.parent / str(body["names_of"]))
            forms = (form for names in table.values() for one in names for form in str(one).split("|"))
            lists[name] = {"values": list(forms)}
    return document
