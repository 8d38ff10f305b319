"""Our reader of hassil's template language says the same as hassil's own, and refuses what it can't read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import hassil.expression as theirs
import pytest
from hassil.parse_expression import parse_sentence

from entendre.core.errors import InvalidInputError
from entendre.language.building import AutomatonBuilder, slot_by_own_name
from entendre.language.sentences import SentenceFile
from entendre.language.templates import (
    MAX_NESTED,
    NOTHING,
    Choice,
    ListSlot,
    Permutation,
    Piece,
    Rule,
    Sequence,
    Text,
    parse_template,
)
from entendre.skills.plugins import load_skills
from entendre.skills.speech import load_speech


def templates_of(file: SentenceFile) -> Iterator[str]:
    yield from file.rules.values()
    for block in file.blocks:
        yield from block.templates
    for body in file.lists.values():
        for value in body.get("values", ()):
            yield str(value["in"] if isinstance(value, dict) else value)


def converted(expression: theirs.Expression) -> Piece:
    """hassil's expression as ours."""
    if isinstance(expression, theirs.TextChunk):
        return text_of(expression.original_text)
    if isinstance(expression, theirs.RuleReference):
        return Rule(expression.rule_name)
    if isinstance(expression, theirs.ListReference):
        bounds = expression.get_inline_range()
        return ListSlot(expression.list_name, expression.slot_name, bounds and bounds[:2])
    assert isinstance(expression, theirs.Group)
    if isinstance(expression, theirs.Permutation):
        return Permutation(tuple(run(item.items[1:-1]) for item in expression.items))
    if not isinstance(expression, theirs.Alternative):
        return run(expression.items)
    items = [converted(item) for item in expression.items]
    if expression.is_optional and len(items) == 2 and isinstance(items[0], Choice):
        items = [*items[0].items, items[1]]
    return Choice(tuple(items))


def run(items: Iterable[theirs.Expression]) -> Piece:
    """Pieces one after the other; hassil cuts text at its spaces."""
    pieces: list[Piece] = []
    text = ""
    for item in items:
        if isinstance(item, theirs.TextChunk):
            text += item.original_text
            continue
        pieces += [text_of(text), converted(item)] if text else [converted(item)]
        text = ""
    pieces += [text_of(text)] if text else []
    return pieces[0] if len(pieces) == 1 else Sequence(tuple(pieces))


def text_of(text: str) -> Text:
    return Text(tuple(text.split()), text[0].isspace(), text[-1].isspace()) if text else NOTHING


@pytest.mark.parametrize("language", ["en", "hi", "tr", "zh"])
def test_every_sentence_is_read_as_hassil_reads_it(language: str) -> None:
    files = load_speech(load_skills(), language).files
    read = {template for file in files for template in templates_of(file)}
    assert len(read) > 500
    for template in sorted(read):
        assert parse_template(template) == converted(parse_sentence(template).expression), template


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (" on ", Text(("on",))),
        ("a(b| c )", Sequence((Text(("a",)), Choice((Text(("b",)), Text(("c",), opens=True, closes=True)))))),
        ("[x|y]", Choice((Text(("x",)), Text(("y",)), NOTHING))),
        ("(a;[b])", Permutation((Text(("a",)), Choice((Text(("b",)), NOTHING))))),
        (r"a \(b\)", Text(("a", "(b)"))),
        ("<the>", Rule("the")),
        ("{0..100:level}", ListSlot("0..100", "level", (0, 100))),
        ("{-5..5:level}", ListSlot("-5..5", "level")),
        ("{room}", ListSlot("room", "room")),
        ("{room:other}", ListSlot("room", "other")),
    ],
)
def test_what_a_template_says(template: str, says: Piece) -> None:
    assert parse_template(template) == says


TOO_DEEP = "(" * (MAX_NESTED + 1) + "a" + ")" * (MAX_NESTED + 1)


@pytest.mark.parametrize(
    "template",
    ["", " ", "()", "[]", "a)", "(a", "a]", "[a)", "{a", "a}", "<a", "<>", "{}", "(a|b;c)", "a) (b", "\\", TOO_DEEP],
)
def test_what_is_no_template_is_refused(template: str) -> None:
    with pytest.raises(InvalidInputError, match="can't be read"):
        parse_template(template)


def sentences(template: str, **rules: str) -> set[str]:
    """Every sentence of words that an automaton of this template accepts."""
    builder = AutomatonBuilder(lambda text: tuple(text.split()))
    bodies = {name: parse_template(body) for name, body in rules.items()}
    builder.add(parse_template(template), 0, rules=bodies, slot_of=slot_by_own_name)
    ways = [(builder.automaton().start, "")]
    found = set()
    while ways:
        state, said = ways.pop()
        if state.accepts:
            found.add(said.strip())
        for symbol in (*state.words, *state.slots):
            target = state.move(symbol)
            assert target is not None
            ways.append((target, f"{said} {symbol if isinstance(symbol, str) else '{' + symbol.name + '}'}"))
    return found


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("light[s]", {"light", "lights"}),
        ("(turn|switch) on [the] light", {f"{a} on{b} light" for a in ("turn", "switch") for b in ("", " the")}),
        ("(a|b [c])[s] d", {"a d", "as d", "b d", "b s d", "b c d", "b cs d"}),
        ("(a; b [c])", {"a b", "a b c", "b a", "b c a"}),
        ("(a[b]|a [b])c", {"ac", "abc", "a bc", "a c"}),
        ("{x} (<y>|z)", {"{x} one", "{x} two", "{x} z"}),
        ("[a] [b]", {"a", "b", "a b"}),
    ],
)
def test_what_an_automaton_accepts(template: str, said: set[str]) -> None:
    assert sentences(template, y="(one|two)") == said


def test_rules_in_a_circle_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="circle"):
        sentences("<a>", a="x <b>", b="[y] <a>")
