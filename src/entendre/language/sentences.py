"""Sentence files: what a skill's sentences are in one language, parsed but not yet compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from entendre.core.errors import InvalidInputError

KEYWORDS_COST = 0.15
COMPLETENESS = ("complete", "extendable", "incomplete")


@dataclass(frozen=True, slots=True)
class Block:
    """Templates that share an intent, fixed slots and conditions.

    `cost` lowers the confidence of a match. `sums`: a slot -> the slots that are added up to it, each times its factor.
    """

    intent: str
    templates: tuple[str, ...]
    slots: Mapping[str, Any] = field(default_factory=dict)
    requires: Mapping[str, Any] = field(default_factory=dict)
    completeness: str | None = None
    excludes: frozenset[str] = frozenset()
    cost: float = 0.0
    loose: bool = False
    sums: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SentenceFile:
    """The sentences and replies of one skill in one language."""

    skill: str
    language: str
    blocks: tuple[Block, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Any] = field(default_factory=dict)
    replies: Mapping[str, Any] = field(default_factory=dict)

    @property
    def intents(self) -> frozenset[str]:
        """The intents that its sentences can mean."""
        return frozenset(block.intent for block in self.blocks)


def sentence_file(skill: str, document: Mapping[str, Any]) -> SentenceFile:
    """A sentence file from its parsed YAML document. Raises: InvalidInputError."""
    blocks: list[Block] = []
    for intent, body in _mapping(document.get("intents"), f"{skill}: intents").items():
        blocks.extend(_blocks(intent, _mapping(body, f"{skill}: {intent}")))
    return SentenceFile(
        skill=skill,
        language=str(document.get("language", "")),
        blocks=tuple(blocks),
        rules={name: str(rule) for name, rule in _mapping(document.get("expansion_rules"), skill).items()},
        lists=_mapping(document.get("lists"), f"{skill}: lists"),
        replies=_mapping(document.get("replies"), f"{skill}: replies"),
    )


def _blocks(intent: str, body: Mapping[str, Any]) -> list[Block]:
    excludes = frozenset(str(word) for word in body.get("excludes", ()))
    shared = body.get("completeness")
    blocks = []
    for data in body.get("data") or ():
        completeness = data.get("completeness", shared)
        if completeness is not None and completeness not in COMPLETENESS:
            raise InvalidInputError(
                f"{intent}: completeness is {completeness!r}; it can be {' or '.join(COMPLETENESS)}."
            )
        blocks.append(
            Block(
                intent=intent,
                templates=_texts(data.get("sentences") or ()),
                slots=data.get("slots") or {},
                requires=data.get("requires_context") or {},
                completeness=completeness,
                excludes=excludes | frozenset(data.get("excludes", ())),
                cost=float(data.get("cost", 0.0)),
                sums=data.get("sums") or {},
            )
        )
    for entry in body.get("keywords") or ():
        data = {"pattern": entry} if isinstance(entry, str) else entry
        blocks.append(
            Block(
                intent=intent,
                templates=_texts((data["pattern"],)),
                slots=data.get("slots") or {},
                requires=data.get("requires_context") or {},
                completeness=data.get("completeness", shared),
                excludes=excludes | frozenset(data.get("excludes", ())),
                cost=KEYWORDS_COST,
                loose=True,
            )
        )
    return blocks


def _texts(templates: Sequence[Any]) -> tuple[str, ...]:
    return tuple(str(template) for template in templates)


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{where} must be a mapping.")
    return value
