"""Language packs, sentence files and Home Assistant's sentences, from their files."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from entendre.core.errors import ConfigurationError, InvalidInputError
from entendre.core.home import Appliance, HomeSnapshot, Room
from entendre.core.plan import DeviceView, World
from entendre.language.understander import Understander
from entendre.markets.home_assistant import base_sentences, load_home_assistant
from entendre.markets.loader import languages, load_builtin_sentences, load_pack, load_sentences, read_yaml


def test_english_has_a_pack_and_regions_share_it():
    assert "en" in languages()
    assert load_pack("en-GB").language == "en"


def test_a_language_without_a_pack_is_named():
    with pytest.raises(ConfigurationError, match="xx"):
        load_pack("xx")


@pytest.mark.parametrize("tag", ["", "-", "../cn", ".", "words.yaml"])
def test_a_tag_is_no_path(tag):
    with pytest.raises(ConfigurationError):
        load_pack(tag)


def test_a_tag_in_capitals_is_the_same_language():
    assert load_pack("TH").language == "th"
    assert load_pack("pt_br").language == "pt"


def test_on_and_off_are_words_not_booleans(tmp_path):
    document = tmp_path / "a.yaml"
    document.write_text("on: [yes, no, off]\nsure: true\n")
    assert read_yaml(document) == {"on": ["yes", "no", "off"], "sure": True}


def test_a_broken_file_says_which(tmp_path):
    document = tmp_path / "broken.yaml"
    document.write_text("a: [")
    with pytest.raises(InvalidInputError) as caught:
        read_yaml(document)
    assert "broken.yaml" in caught.value.public_message


def test_a_skill_folder_from_elsewhere_loads_the_same_way(tmp_path):
    folder = tmp_path / "greeter"
    folder.mkdir()
    (folder / "en.yaml").write_text(
        'language: en\nintents:\n  Greet:\n    data:\n      - sentences: ["greet {name}"]\n'
    )
    file = load_sentences(folder, "en-US")
    assert file is not None
    assert (file.skill, file.intents) == ("greeter", frozenset({"Greet"}))
    assert load_sentences(folder, "de") is None


def test_every_builtin_skill_compiles():
    files = load_builtin_sentences("en")
    understander = Understander(load_pack("en"), files, HomeSnapshot())
    assert understander.intents == frozenset().union(*(file.intents for file in files))


def test_home_assistant_sentences_come_in_our_slots():
    mapping = {
        "HassTurnOn": {"intent": "TurnOn"},
        "HassLightSet": {"intent": "Set", "slots": {"trait": "brightness"}},
    }
    home = HomeSnapshot(
        rooms=(Room("kitchen", {"en": ("Kitchen",)}),),
        appliances=(Appliance("lamp", "light", {"en": ("Reading lamp",)}, room="kitchen"),),
    )
    understander = Understander(load_pack("en"), [load_home_assistant("en", mapping)], home)
    world = World(now=datetime(2026, 1, 5, tzinfo=UTC), home=home, device=DeviceView(room="kitchen"))

    def one(text):
        (command,) = understander.understand(text, world).commands
        return command.intent, dict(command.slots)

    assert one("turn on the reading lamp") == ("TurnOn", {"appliance": ["lamp"]})
    assert one("turn on the kitchen lights") == ("TurnOn", {"room": "kitchen", "kind": "light"})
    intent, slots = one("set the reading lamp to 50% brightness")
    assert (intent, slots["appliance"], slots["brightness"]) == ("Set", ["lamp"], 50)


def test_home_assistant_names_a_missing_language():
    with pytest.raises(ConfigurationError):
        load_home_assistant("tlh", {})


def test_a_bare_name_says_nothing_though_they_switch_it_on():
    file = load_home_assistant("en", {"HassTurnOn": {"intent": "TurnOn"}})
    templates = [template for block in file.blocks for template in block.templates]
    assert "<turn> on [<the>] {appliance}" in templates
    assert "[<the>] {appliance}" not in templates


def test_cases_choose_our_intent_by_what_a_block_is_for():
    mapping = {
        "HassTurnOn": {
            "intent": "On",
            "cases": [{"domain": ["lock"], "intent": "Lock"}, {"domain": "cover", "skip": True}],
        }
    }
    by_intent = {
        intent: [template for block in load_home_assistant("en", mapping).blocks if block.intent == intent
                 for template in block.templates]
        for intent in ("On", "Lock")
    }  # fmt: skip
    assert "lock [<the>] {appliance}" in by_intent["Lock"]
    assert not any("{kind}" in template for template in by_intent["On"])


def test_the_base_is_there_for_the_intents_that_are_answered():
    answered = {intent for file in load_builtin_sentences("en") for intent in file.intents}
    base = base_sentences("en", answered)
    assert base is not None
    assert base.intents <= answered
    assert all(block.cost > 0 for block in base.blocks)
    assert base_sentences("en", {"Greet"}) is None
    assert base_sentences("xx", answered) is None


@pytest.mark.parametrize("language", ["de", "es", "fr"])
def test_the_mapping_holds_for_every_language(language):
    answered = {intent for file in load_builtin_sentences("en") for intent in file.intents}
    base = base_sentences(language, answered)
    assert base is not None
    understander = Understander(load_pack("en"), [base], HomeSnapshot())
    assert {"HomeTurnOn", "HomeTurnOff", "HomeSet", "HomeAskState"} <= understander.intents
