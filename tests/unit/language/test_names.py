"""Names of a home, as people say them."""

from __future__ import annotations

import pytest

from entendre.core.home import Appliance, HomeSnapshot, ItemList, Room, Scene
from entendre.language.names import NameIndex, NameWords
from entendre.language.tokens import Tokenizer
from entendre.markets.loader import load_pack

PACK = load_pack("en")
TOKENIZER = Tokenizer(PACK.words)


def _names(*names):
    return {"en": names}


HOME = HomeSnapshot(
    rooms=(Room("nursery", _names("Kids' Room", "Nursery"), floor="up"), Room("hall", _names("Hallway"))),
    floors={"up": _names("First Floor")},
    appliances=(
        Appliance("left", "light", _names("Bedside Lamp Left"), room="nursery"),
        Appliance("right", "light", _names("Bedside Lamp Right"), room="nursery"),
        Appliance("second", "light", _names("Lamp 2"), room="hall"),
        Appliance("pump", "outlet", _names("Fish Tank Pump"), room="hall"),
        Appliance("den", "light", _names("The Den Light")),
        Appliance("hall_light", "light", _names("Hallway Light"), room="hall"),
    ),
    scenes=(Scene("dinner", _names("Dinner scene")),),
    lists=(ItemList("food", _names("Groceries")), ItemList("todo", _names("To-do list"))),
)
INDEX = NameIndex(HOME, NameWords(PACK, TOKENIZER))


def found(text, *, near=False):
    """What a whole text names: kind and ids, surest first."""
    words = TOKENIZER.words(text)
    hits = INDEX.near(words, 0, 0.3) if near else INDEX.at(words, 0)
    whole = sorted((hit for hit in hits if hit.end == len(words)), key=lambda hit: hit.cost)
    return [(hit.kind, set(hit.ids)) for hit in whole]


@pytest.mark.parametrize(
    ("text", "kind", "ids"),
    [
        ("bedside lamp left", "appliance", {"left"}),
        ("left bedside lamp", "appliance", {"left"}),
        ("bedside lamp", "appliance", {"left", "right"}),
        ("bedside lamps", "appliance", {"left", "right"}),
        ("lamp two", "appliance", {"second"}),
        ("fish tank", "appliance", {"pump"}),
        ("hallway fish tank pump", "appliance", {"pump"}),
        ("den light", "appliance", {"den"}),
        ("the den light", "appliance", {"den"}),
        ("hall light", "appliance", {"hall_light"}),
        ("kid's room", "room", {"nursery"}),
        ("first floor", "room", {"up"}),
        ("dinner", "scene", {"dinner"}),
        ("grocery list", "list", {"food"}),
        ("groceries", "list", {"food"}),
        ("to do", "list", {"todo"}),
    ],
)
def test_names_as_people_say_them(text, kind, ids):
    assert (kind, ids) in found(text)


@pytest.mark.parametrize(
    ("text", "ids"), [("fishtank pump", {"pump"}), ("nurserie", {"nursery"}), ("fish tank pummp", {"pump"})]
)
def test_misheard_names(text, ids):
    assert any(ids == near for _, near in found(text, near=True)) or any(ids == near for _, near in found(text))


@pytest.mark.parametrize("text", ["lamp", "light", "fish", "room", "phone"])
def test_a_word_that_names_nothing_in_particular_is_no_name(text):
    assert found(text) == []


def test_a_whole_name_is_surer_than_a_part_of_one():
    whole = INDEX.at(("fish", "tank", "pump"), 0)
    part = INDEX.at(("fish", "tank"), 0)
    assert min(hit.cost for hit in whole if hit.end == 3) < 0 < min(hit.cost for hit in part)


def test_a_word_for_a_kind_is_shared_by_all_that_are_called_so():
    home = HomeSnapshot(
        rooms=(Room("den", _names("Den")),),
        appliances=(
            Appliance("here", "tv", _names("TV"), room="den"),
            Appliance("there", "tv", _names("Television")),
            Appliance("floor", "light", _names("Floor lamp")),
            Appliance("uplight", "light", _names("Floor light")),
        ),
    )
    index = NameIndex(home, NameWords(PACK, TOKENIZER))
    assert [set(hit.ids) for hit in index.at(("tv",), 0)] == [{"here", "there"}]
    assert {"floor"} in [set(hit.ids) for hit in index.at(("floor", "lamp"), 0)]


def test_the_beginning_of_a_name_waits_for_its_end():
    assert INDEX.begins(("fish",), "appliance")
    assert not INDEX.begins(("fish", "tank", "pump"), "appliance")
    assert not INDEX.begins(("sofa",), "appliance")


def test_a_part_of_a_name_does_not_begin_or_end_in_a_word_that_leads_to_a_room():
    home = HomeSnapshot(
        rooms=(Room("den", _names("Den")),),
        appliances=(Appliance("lamp", "light", _names("Reading lamp in the den"), room="den"),),
    )
    index = NameIndex(home, NameWords(PACK, TOKENIZER))
    assert index.at(TOKENIZER.words("reading lamp"), 0)
    assert not [hit for hit in index.at(TOKENIZER.words("reading lamp in"), 0) if hit.end == 3]
    assert not index.at(TOKENIZER.words("in the den"), 0)


@pytest.mark.parametrize(
    ("language", "names", "text"),
    [
        ("ms", ("senarai belanja", "kerja"), "belanja"),
        ("ms", ("senarai belanja", "kerja"), "senarai belanja"),
        ("ms", ("belanja", "kerja"), "senarai belanja"),
        ("es", ("lista del súper", "viaje"), "súper"),
        ("es", ("súper", "viaje"), "lista del súper"),
        ("es", ("súper", "viaje"), "lista súper"),
    ],
)
def test_the_word_for_a_list_may_come_first(language, names, text):
    pack = load_pack(language)
    tokenizer = Tokenizer(pack.words)
    home = HomeSnapshot(lists=tuple(ItemList(name, {language: (name,)}) for name in names))
    words = tokenizer.words(text)
    hits = NameIndex(home, NameWords(pack, tokenizer)).at(words, 0)
    assert [hit.ids for hit in hits if hit.kind == "list" and hit.end == len(words)] == [(names[0],)]


@pytest.mark.parametrize(
    ("name", "heard"),
    [
        ("Кухня", "kuhnya"),
        ("厨房", "chufang"),
        ("厨房", "chu fang"),
        ("Гостиная", "gostinaya"),
        ("Kitchen", "किचन"),
        ("Kitchen", "кичен"),
        ("Bedroom Light", "बेडरूम लाइट"),
        ("Kitchen", "kitchen"),
        ("Кухня", "кухня"),
    ],
)
def test_names_are_found_in_the_script_that_they_were_heard_in(name, heard):
    home = HomeSnapshot(rooms=(Room("it", {"xx": (name,)}), Room("other", _names("Bathroom"))))
    index = NameIndex(home, NameWords(PACK, TOKENIZER))
    words = TOKENIZER.words(heard)
    hits = [*index.at(words, 0), *index.near(words, 0, 0.3)]
    assert {identifier for hit in hits if hit.end == len(words) for identifier in hit.ids} == {"it"}


def test_a_name_of_another_language_counts_beside_those_of_the_own():
    home = HomeSnapshot(rooms=(Room("it", {"en": ("Kitchen",), "es": ("cocina",)}),))
    index = NameIndex(home, NameWords(PACK, TOKENIZER))
    assert [hit.ids for hit in index.at(TOKENIZER.words("cocina"), 0)] == [("it",)]


@pytest.mark.parametrize(("language", "found"), [("ru", [("front",)]), ("en", [])])
def test_a_name_of_two_words_may_be_turned_where_the_language_turns_them(language, found):
    pack = load_pack(language)
    tokenizer = Tokenizer(pack.words)
    home = HomeSnapshot(appliances=(Appliance("front", "lock", {language: ("входная дверь",)}),))
    words = tokenizer.words("дверь входную" if language == "ru" else "дверь входная")
    hits = NameIndex(home, NameWords(pack, tokenizer)).at(words, 0)
    assert [hit.ids for hit in hits if hit.end == len(words)] == found


def test_letters_with_marks_are_no_other_script():
    pack = load_pack("tr")
    tokenizer = Tokenizer(pack.words)
    home = HomeSnapshot(appliances=(Appliance("stereo", "media_player", {"tr": ("müzik seti",)}),))
    assert not NameIndex(home, NameWords(pack, tokenizer)).near(tokenizer.words("mısın"), 0, 0.3)
