"""Language tags as settings hold them: one, or a few that are chosen among for each utterance."""

from __future__ import annotations

MOST_TAGS = 3
"""Languages that are chosen among; with more, the short commands of a home are taken for the wrong one too often."""
SEPARATOR = ","


def tags_of(text: str) -> tuple[str, ...]:
    """The tags of a text such as "en" or "hi,en", in order and each once; the first few of many."""
    named = (tag.strip().replace("_", "-") for tag in text.split(SEPARATOR))
    return tuple(dict.fromkeys(tag for tag in named if tag))[:MOST_TAGS]


def first_tag(text: str) -> str:
    """The first tag of a text; empty for none."""
    return next(iter(tags_of(text)), "")


def joined_tags(tags: tuple[str, ...]) -> str:
    """Tags as one text."""
    return SEPARATOR.join(tags)


def base_tag(tag: str) -> str:
    """The language of a tag without its country: "pt" of "pt-BR"."""
    return tag.replace("_", "-").split("-")[0].lower()
