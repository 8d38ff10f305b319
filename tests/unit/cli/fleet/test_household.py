"""What `entendre household` takes: the household in either place, and days to keep."""

from __future__ import annotations

import argparse

import pytest

from entendre.cli.fleet.household import VERBS, kept_days
from entendre.cli.fleet.records import shown
from entendre.cli.fleet.verbs import add_verbs
from entendre.core.errors import InvalidInputError


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_verbs(parser.add_subparsers(), "household", "homes", VERBS)
    return parser.parse_args(["household", *words])


@pytest.mark.parametrize("verb", ["show", "members", "rooms", "devices", "consents", "change", "leave"])
def test_a_household_is_named_in_either_place(verb: str) -> None:
    assert parsed(verb).household is None
    assert parsed(verb, "ours").household == "ours"
    assert parsed(verb, "--household", "ours").household == "ours"


def test_days_are_kept_by_kind() -> None:
    assert kept_days(["history=30", "notes=null", "turns=0.5"]) == {"history": 30, "notes": None, "turns": 0.5}
    for wrong in ("sound=3", "history=long", "history=true", "history"):
        with pytest.raises(InvalidInputError):
            kept_days([wrong])


def test_days_have_no_needless_decimals() -> None:
    assert shown("history", 30.0) == "30"
    assert shown("turns", 0.5) == "0.5"
    assert shown("at_s", None) == "-"
