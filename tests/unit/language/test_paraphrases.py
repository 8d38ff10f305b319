"""How much of what people really say is understood, and how little is misunderstood."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from homes import HOME, world

from entendre.core.understanding import Completeness
from entendre.language.understander import Understander
from entendre.markets.loader import load_builtin_sentences, load_pack, read_yaml

DATA = read_yaml(Path(__file__).parent / "data" / "en_paraphrases.yaml")
WHOLE = (Completeness.COMPLETE, Completeness.EXTENDABLE)


@pytest.fixture(scope="module")
def understander() -> Understander:
    return Understander(load_pack("en"), load_builtin_sentences("en"), HOME)


def _part(entries, held_out):
    return [entry for index, entry in enumerate(entries) if (index % 3 == 2) == held_out]


def _acts(command):
    """Whether a command can do anything: one about a thing the home lacks is only refused."""
    return not (command.skill == "home" and "name" in command.slots)


def _verdict(understander, entry):
    text, intents, slots = entry
    found = understander.understand(text, world())
    if not found.commands:
        return "none"
    command = found.commands[0]
    said = dict(command.slots)
    if "datetime" in said:
        said["date"], said["time"] = said["datetime"].split("T")
    if "named" in said:  # the one thing in a room whose name has this word
        slots = {name: value for name, value in slots.items() if name != "appliance"}
    fits = command.intent in intents and all(said.get(name) == value for name, value in slots.items())
    return "right" if fits else "wrong"


@pytest.mark.parametrize("held_out", [False, True])
def test_paraphrases(understander, held_out):
    verdicts = {entry[0]: _verdict(understander, entry) for entry in _part(DATA["in_scope"], held_out)}
    count = Counter(verdicts.values())
    missed = {text: verdict for text, verdict in verdicts.items() if verdict != "right"}
    assert count["right"] >= 0.9 * len(verdicts), missed
    assert count["wrong"] <= 0.04 * len(verdicts), missed


@pytest.mark.parametrize("held_out", [False, True])
def test_out_of_scope_is_left_alone(understander, held_out):
    entries = _part(DATA["out_of_scope"], held_out)
    taken = [text for text in entries if any(map(_acts, understander.understand(text, world()).commands))]
    assert len(taken) <= 0.04 * len(entries), taken


def test_cut_off_sentences_are_not_taken_for_whole_ones(understander):
    count = Counter()
    for text, *_ in DATA["in_scope"]:
        words = text.split()
        for length in range(1, len(words)):
            count[understander.understand(" ".join(words[:length]), world()).completeness in WHOLE] += 1
    assert count[True] <= 0.25 * count.total()


def test_whole_sentences_are_not_taken_for_cut_off_ones(understander):
    endings = Counter(understander.understand(text, world()).completeness for text, *_ in DATA["in_scope"])
    assert endings[Completeness.INCOMPLETE] <= 0.04 * endings.total()
    assert endings[Completeness.COMPLETE] >= 0.75 * endings.total()
