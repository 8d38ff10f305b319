"""People name rooms as they call them; the home knows them by id."""

import pytest

from entendre.core.errors import InvalidInputError
from entendre.core.home import Room
from entendre.home.rooms import room_named

ROOMS = (
    Room("kitchen", {"en": ("Kitchen",), "de": ("Küche", "Kochnische")}),
    Room("bath_up", {"en": ("Bathroom",)}, floor="upstairs"),
    Room("bath_down", {"en": ("Bathroom",)}),
)


@pytest.mark.parametrize("text", ["kitchen", "KITCHEN", " Küche ", "kochnische"])
def test_a_room_is_named_in_any_language(text: str) -> None:
    assert room_named(ROOMS, text) == "kitchen"


def test_an_unknown_room_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInputError, match=r"no such room.*kitchen, bath_up, bath_down"):
        room_named(ROOMS, "cellar")
    with pytest.raises(InvalidInputError, match="none"):
        room_named((), "cellar")


def test_a_name_of_two_rooms_needs_the_id() -> None:
    with pytest.raises(InvalidInputError, match="Several"):
        room_named(ROOMS, "bathroom")
    assert room_named(ROOMS, "bath_up") == "bath_up"
