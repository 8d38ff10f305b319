"""HOME.json: what is read, what is refused and with which advice."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from entendre.core.actions import Trait
from entendre.core.errors import InvalidInputError
from entendre.core.home import Station
from entendre.home import demo_home, dump_home, home_schema, load_home
from entendre.home.traits import KIND_MODES, KIND_TRAITS, RULES

DOCS = Path(__file__).parents[3] / "docs"


def document(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "floors": [{"id": "up", "names": "upstairs"}],
        "rooms": [{"id": "kitchen", "names": {"en": ["kitchen", "galley"], "de": "Küche"}, "floor": "up"}],
        "appliances": [{"id": "lamp", "kind": "light", "names": "lamp", "room": "kitchen"}],
        "scenes": [{"id": "movie", "names": "movie time", "states": {"lamp": {"brightness": 10}}}],
        "lists": [{"id": "shopping", "names": "shopping list", "items": ["milk"]}],
        "media": [{"id": "jazz", "names": ["Jazz FM"], "url": "https://radio.example/jazz.mp3?b=1"}],
    }
    return base | changes


def appliance(**fields: Any) -> dict[str, Any]:
    return document(appliances=[{"id": "lamp", "kind": "light", "names": "lamp"} | fields], scenes=[])


def test_reads_every_section() -> None:
    home = load_home(document(temperature_unit="F", time_zone="Asia/Tokyo", place="Tokyo"))
    assert (home.temperature_unit, home.time_zone, home.place) == ("F", "Asia/Tokyo", "Tokyo")
    assert home.rooms[0].names == {"en": ("kitchen", "galley"), "de": ("Küche",)}
    assert home.rooms[0].floor == "up"
    assert home.floors == {"up": {"": ("upstairs",)}}
    assert home.scenes[0].states == {"lamp": {Trait.BRIGHTNESS: 10}}
    assert home.lists[0].items == ("milk",)
    assert home.media == (Station("jazz", {"": ("Jazz FM",)}, "https://radio.example/jazz.mp3?b=1"),)


@pytest.mark.parametrize(
    "url", [None, 3, "", "radio.example", "file:///etc/passwd", "http://", "http://a b", "h" * 3000]
)
def test_a_station_needs_an_address(url: object) -> None:
    with pytest.raises(InvalidInputError, match=r"media\[0\] 'x'.url"):
        load_home(document(media=[{"id": "x", "names": "x", "url": url}]))


def test_kind_gives_traits_and_initial_state() -> None:
    lamp = load_home(document()).appliances[0]
    assert lamp.traits == set(KIND_TRAITS["light"])
    assert lamp.state == {Trait.ON: False, Trait.BRIGHTNESS: 100}


def test_given_traits_replace_the_kinds_and_state_adds_its_own() -> None:
    lamp = load_home(appliance(traits=["on"], state={"power": 4.26})).appliances[0]
    assert lamp.traits == {Trait.ON, Trait.POWER}
    assert lamp.state == {Trait.ON: False, Trait.POWER: 4.3}


def test_thermostat_starts_in_its_first_mode_and_in_the_homes_unit() -> None:
    home = load_home(
        document(temperature_unit="F", scenes=[], appliances=[{"id": "t", "kind": "thermostat", "names": "heat"}])
    )
    assert home.appliances[0].modes == KIND_MODES["thermostat"]
    assert home.appliances[0].state == {Trait.TEMPERATURE: 68, Trait.MODE: "heat"}


@pytest.mark.parametrize(
    ("broken", "advice"),
    [
        (document(apliances=[]), r"top level: key.*did you mean 'appliances'"),
        (document(rooms={}), r"rooms: must be a list"),
        (document(rooms=["kitchen"]), r"rooms\[0\]: must be an object"),
        (document(rooms=[{"names": "x"}]), r'rooms\[0\]: needs an "id"'),
        (document(rooms=[{"id": "a", "names": "x"}] * 2), r"already used in rooms"),
        (document(rooms=[{"id": "a"}]), r"rooms\[0\] 'a'.names: must be a text or a list"),
        (document(rooms=[{"id": "a", "names": []}]), r"needs at least one name"),
        (document(rooms=[{"id": "a", "names": {"english": "x"}}]), r"not a language tag"),
        (document(rooms=[{"id": "a", "names": "x", "floor": "down"}]), r"floor: 'down' is no floor id"),
        (document(time_zone="Paris"), r"time_zone: 'Paris' is not an IANA"),
        (document(temperature_unit="K"), r"temperature_unit: 'K' is not one of C, F"),
        (appliance(kind="lamp"), r"appliances\[0\] 'lamp'.kind: 'lamp' is not one of"),
        (appliance(kind="sensor"), r'needs "traits" or "state"'),
        (appliance(room="cellar"), r"room: 'cellar' is no room id"),
        (appliance(traits=["brigthness"]), r"did you mean 'brightness'"),
        (appliance(state={"brightness": 120}), r"state.brightness: 120 must be between 0 and 100"),
        (appliance(state={"on": 1}), r"state.on: 1 must be true or false"),
        (appliance(state={"temperature": float("nan")}), r"must be a number"),
        (appliance(colour="red"), r"key: 'colour' is not one of"),
        (appliance(available="yes"), r"available: must be true or false"),
        (document(scenes=[{"id": "s", "names": "s", "states": {"lamb": {}}}]), r"'lamb' is no appliance id"),
    ],
)
def test_mistakes_are_refused_with_place_and_advice(broken: dict[str, Any], advice: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load_home(broken)
    assert re.search(advice, caught.value.public_message), caught.value.public_message


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    for path, content in ((tmp_path / "a.json", None), (tmp_path / "b.json", "{"), (tmp_path / "c.json", "[]")):
        if content is not None:
            path.write_text(content)
        with pytest.raises(InvalidInputError, match=path.name):
            load_home(path)


def test_dump_is_read_back_equal(tmp_path: Path) -> None:
    home = demo_home()
    path = tmp_path / "HOME.json"
    path.write_text(json.dumps(dump_home(home)))
    assert load_home(path) == home


def test_loading_leaves_the_callers_object_alone() -> None:
    source = document()
    before = copy.deepcopy(source)
    load_home(source)
    assert source == before


def test_demo_home_is_a_realistic_house() -> None:
    home = demo_home()
    assert len(home.rooms) >= 8
    assert len(home.appliances) >= 30
    assert len(home.scenes) >= 4
    assert {each.kind for each in home.appliances} >= {"light", "lock", "thermostat", "blind", "fan", "vacuum", "tv"}


def test_published_schema_is_the_codes() -> None:
    assert json.loads((DOCS / "home.schema.json").read_text()) == home_schema()


def test_docs_example_loads_and_tables_name_everything() -> None:
    text = (DOCS / "home.md").read_text()
    example = re.search(r"```json\n(.*?)```", text, re.S)
    assert example is not None
    assert len(load_home(json.loads(example.group(1))).appliances) == 4
    for word in [*KIND_TRAITS, *(trait.value for trait in RULES)]:
        assert f"`{word}`" in text, word
    for line in text.splitlines():
        cells = [re.findall(r"`(\w+)`", cell) for cell in line.strip("|").split("|")]
        if len(cells) == 2 and cells[0] and cells[0][0] in KIND_TRAITS and cells[0][0] != "sensor":
            for kind in cells[0]:
                listed = [name for name in cells[1] if name in set(Trait)]
                assert listed == [trait.value for trait in KIND_TRAITS[kind]], kind
