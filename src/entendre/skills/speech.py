"""The words of skills in one language: their sentences for understanding, their replies for answering."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from entendre.core.errors import ConfigurationError, EntendreError
from entendre.core.home import HomeSnapshot
from entendre.language.formats import formatters
from entendre.language.pack import LanguagePack
from entendre.language.replies import Replies, TemplateError
from entendre.language.sentences import SentenceFile, sentence_file
from entendre.language.understander import Understander
from entendre.markets.loader import load_pack, read_yaml
from entendre.skills.plugins import BUILT_IN, BrokenPlugin, LoadedSkills, Plugin

PHRASES = BUILT_IN / "phrases"
"""Folder of what the conversation itself says, one file a language."""

_SOME_DAY = date(2000, 1, 1)


class SkillSpeech:
    """Every skill's replies in one language."""

    def __init__(self, pack: LanguagePack, phrases: Replies, by_skill: Mapping[str, Replies]) -> None:
        self._pack = pack
        self.phrases = phrases
        self._by_skill = by_skill

    def replies_on(self, skill: str, today: date) -> Replies:
        """A skill's replies, with dates as seen from today. Raises: KeyError for a skill without this language."""
        return self._by_skill[skill].spoken_with(formatters(self._pack, today))


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
    """The replies of every skill that speaks a language. Raises: ConfigurationError, InvalidInputError."""
    pack = load_pack(language)
    by_skill = {
        plugin.name: load_replies(path, pack)
        for plugin in skills.plugins
        if (path := sentence_path(plugin, language)) is not None
    }
    return SkillSpeech(pack, load_replies(PHRASES / f"{language}.yaml", pack), by_skill)


def load_replies(path: Path, pack: LanguagePack) -> Replies:
    """The replies of one file. Raises: InvalidInputError, TemplateError."""
    document = read_yaml(path)
    terms = {
        str(table): {str(key): str(word) for key, word in words.items()}
        for table, words in (document.get("terms") or {}).items()
    }
    return Replies(pack.language, document.get("replies") or {}, terms, formatters(pack, _SOME_DAY))


def load_skill_sentences(
    skills: LoadedSkills, pack: LanguagePack, language: str
) -> tuple[list[SentenceFile], list[BrokenPlugin]]:
    """Sentence files of a language; those of the owner's skills that can't be compiled are reported instead."""
    files: list[SentenceFile] = []
    broken: list[BrokenPlugin] = []
    for plugin in skills.plugins:
        path = sentence_path(plugin, language)
        if path is None:
            continue
        if plugin.folder.parent == BUILT_IN:
            files.append(sentence_file(plugin.name, _document(path)))
            continue
        try:
            files.append(_checked(plugin, path, pack))
        except (EntendreError, TemplateError, TypeError, AttributeError, KeyError, ValueError) as error:
            detail = getattr(error, "detail", "") or str(error)
            broken.append(BrokenPlugin(plugin.name, plugin.folder, f"{path.name}: {detail}"))
    return files, broken


def _checked(plugin: Plugin, path: Path, pack: LanguagePack) -> SentenceFile:
    """A sentence file that compiles, answers only its own skill's intents, and whose replies can be said."""
    file = sentence_file(plugin.name, _document(path))
    foreign = sorted(file.intents - plugin.skill.intents)
    if foreign:
        raise ValueError(f"the skill does not answer {', '.join(foreign)}")
    Understander(pack, (file,), HomeSnapshot())
    load_replies(path, pack)
    return file


def _document(path: Path) -> dict[str, Any]:
    """A sentence file; a list with `names_of` holds every name of that table (value -> names) beside the file."""
    document = read_yaml(path)
    lists: dict[str, Any] = document.get("lists") or {}
    for name, body in lists.items():
        if isinstance(body, dict) and "names_of" in body:
            table = read_yaml(path.parent / str(body["names_of"]))
            lists[name] = {"values": [str(one) for names in table.values() for one in names]}
    return document
