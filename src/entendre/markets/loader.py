"""Reads language packs and sentence files; the only place that touches their files."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from entendre.core.errors import ConfigurationError, InvalidInputError
from entendre.core.tags import MOST_TAGS, SEPARATOR, base_tag, joined_tags, tags_of
from entendre.language.pack import LanguagePack, pack_from_documents
from entendre.language.sentences import SentenceFile, sentence_file

PACK_DOCUMENTS = ("words", "numbers", "time", "names", "say", "rules", "sounds")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which only `true` and `false` are booleans: "on", "off", "yes" and "no" are words here."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def read_yaml(source: Traversable | Path, place: str = "") -> dict[str, Any]:
    """A YAML document that is a mapping; `place` is what its problems call it. Raises: InvalidInputError."""
    name = place or source.name
    try:
        document = yaml.load(source.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        where = f"{name}, line {mark.line + 1}" if mark is not None else name
        raise InvalidInputError(f"{where} is not valid YAML.", detail=f"{name}: {problem}") from problem
    except UnicodeDecodeError as problem:
        raise InvalidInputError(f"{name} is not UTF-8 text.", detail=f"{name}: {problem}") from problem
    if not isinstance(document, dict):
        raise InvalidInputError(f"{name} must be a mapping.")
    return {str(key): value for key, value in document.items()}


def languages() -> tuple[str, ...]:
    """The languages that have a pack."""
    root = files("entendre.markets") / "languages"
    return tuple(
        sorted(folder.name for folder in root.iterdir() if folder.is_dir() and (folder / "words.yaml").is_file())
    )


def taught_tags(text: str) -> str:
    """Of a tag, or a few joined by commas, those that a pack serves ("th-TH", "TH"); empty for none."""
    return joined_tags(tuple(tag for tag in tags_of(text) if _is_taught(tag)))


def language_problem(text: str) -> str:
    """Why a tag, or a few joined by commas, can't all be understood, for whoever wrote them; empty if they can."""
    named = [tag for tag in map(str.strip, text.split(SEPARATOR)) if tag]
    unknown = next((tag for tag in named if not _is_taught(tag)), None)
    if unknown is not None:
        return f"There is no language {unknown!a}; there are {', '.join(languages())}."
    return f"At most {MOST_TAGS} languages can be told apart." if len(named) > MOST_TAGS else ""


def _is_taught(tag: str) -> bool:
    return not {tag, base_tag(tag)}.isdisjoint(languages())


@lru_cache
def load_pack(language: str) -> LanguagePack:
    """The pack of a language, or of its base language. Raises: ConfigurationError if there is none."""
    taught = languages()
    for tag in dict.fromkeys((language, base_tag(language))):
        if tag in taught:  # a tag may be what a peer wrote, and is no path before it is known
            folder = files("entendre.markets") / "languages" / tag
            documents = {
                name: read_yaml(folder / f"{name}.yaml")
                for name in PACK_DOCUMENTS
                if (folder / f"{name}.yaml").is_file()
            }
            return pack_from_documents(tag, documents)
    raise ConfigurationError(f"There is no language pack for {language!r}; there are {', '.join(taught)}.")


def load_sentences(folder: Traversable | Path, language: str) -> SentenceFile | None:
    """A skill folder's sentences in a language or its base; None if it has none. Raises: InvalidInputError."""
    for tag in dict.fromkeys((language, language.split("-")[0])):
        source = folder / f"{tag}.yaml"
        if source.is_file():
            return sentence_file(folder.name, read_yaml(source))
    return None


def load_builtin_sentences(language: str) -> tuple[SentenceFile, ...]:
    """The sentence files of every built-in skill in a language, by skill name."""
    root = files("entendre") / "skills"
    folders = sorted((folder for folder in root.iterdir() if folder.is_dir()), key=lambda folder: folder.name)
    found = (load_sentences(folder, language) for folder in folders)
    return tuple(file for file in found if file is not None)
