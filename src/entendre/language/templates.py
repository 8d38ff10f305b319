"""hassil's template language, read."""

from __future__ import annotations

from hassil.expression import Expression, ListReference
from hassil.parse_expression import parse_sentence
from hassil.parser import ParseError

from entendre.core.errors import InvalidInputError
from entendre.language.automaton import Slot


def parse_template(text: str) -> Expression:
    """A template's expression. Raises: InvalidInputError."""
    try:
        return parse_sentence(text).expression
    except ParseError as problem:
        raise InvalidInputError(f"The sentence template {text!r} can't be read.", detail=str(problem)) from problem


def slot_by_own_name(reference: ListReference) -> Slot:
    """The slot of a reference in a grammar, where lists are kinds of value."""
    return Slot(reference.list_name, reference.slot_name)
