from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entendre.core.actions import Action, AddItem, ClearList, CompleteItem, RemoveItem, StopRinging
from entendre.core.errors import ActionError, InvalidInputError
from entendre.core.home import ItemList
from entendre.home.lists import MAX_NAME_CHARS, Lists, folded
from entendre.store import SqliteStore
from entendre.system import SystemClock, new_id

SHOPPING = ItemList(
    "shopping", {"en": ("shopping list", "groceries"), "fr": ("liste de courses",)}, ("milk",), ("eggs",)
)


class Bench:
    """Lists over a file, and the snapshots that were shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.shown: list[tuple[ItemList, ...]] = []

    async def open(self) -> None:
        self.store = await SqliteStore.open(self.path, SystemClock())
        self.lists = Lists(self.store, self.shown.append)
        await self.lists.load()

    async def close(self) -> None:
        await self.lists.close()
        await self.store.close()

    async def restart(self) -> None:
        await self.close()
        await self.open()

    async def do(self, action: Action, turn: str | None = None, language: str = "en") -> bool:
        return await self.lists.execute(action, turn=turn or new_id(), index=0, language=language)

    def items(self, list_id: str = "shopping") -> tuple[tuple[str, ...], tuple[str, ...]]:
        (found,) = (each for each in self.lists.snapshot() if each.id == list_id)
        return found.items, found.done


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "entendre.db")
    await made.open()
    await made.lists.seed([SHOPPING])
    yield made
    await made.close()


async def test_the_lists_of_the_home_are_made_once(bench: Bench) -> None:
    assert bench.lists.snapshot() == (SHOPPING,)
    await bench.do(RemoveItem("shopping", "milk"))
    await bench.restart()
    await bench.lists.seed([SHOPPING])
    assert bench.items() == ((), ("eggs",))


@pytest.mark.parametrize("name", ["shopping", "Groceries", "SHOPPING  list", "Liste de Courses"])
async def test_a_list_is_found_by_its_id_and_by_any_name(bench: Bench, name: str) -> None:
    assert await bench.do(AddItem(name, "tea"))
    assert bench.items() == (("milk", "tea"), ("eggs",))


async def test_a_missing_list_is_made_with_the_name_in_the_language(bench: Bench) -> None:
    await bench.do(AddItem("Fête", "bougies"), language="fr")
    await bench.do(AddItem("fete", "gâteau"))
    (party,) = (each for each in bench.lists.snapshot() if each.id != "shopping")
    assert (party.names, party.items) == ({"fr": ("Fête",)}, ("bougies", "gâteau"))
    assert not await bench.do(RemoveItem("no such list", "x"))
    assert len(bench.lists.snapshot()) == 2


@pytest.mark.parametrize(
    ("stored", "said", "same"),
    [
        ("Crème fraîche", "creme fraiche", True),
        ("MILK", "milk", True),
        ("Straße", "STRASSE", True),
        ("  sour   cream ", "sour cream", True),
        ("Ёлка", "елка", True),
        ("か", "が", False),  # accents of Latin only: this is another word
        ("कल", "काल", False),
        ("milk", "silk", False),
    ],
)
def test_items_match_whatever_their_case_and_accents(stored: str, said: str, same: bool) -> None:
    assert (folded(stored) == folded(said)) is same


async def test_items_are_added_ticked_and_removed(bench: Bench) -> None:
    assert await bench.do(AddItem("shopping", "Wine", quantity="2 bottles"))
    assert bench.items() == (("milk", "2 bottles Wine"), ("eggs",))
    assert await bench.do(CompleteItem("shopping", "wine"))
    assert not await bench.do(CompleteItem("shopping", "wine"))
    assert bench.items() == (("milk",), ("eggs", "2 bottles Wine"))
    assert await bench.do(AddItem("shopping", "EGGS"))
    assert bench.items() == (("milk", "eggs"), ("2 bottles Wine",))
    assert not await bench.do(AddItem("shopping", "Milk"))
    assert await bench.do(RemoveItem("shopping", "2 bottles wine"))
    assert await bench.do(RemoveItem("shopping", "MILK"))
    assert not await bench.do(RemoveItem("shopping", "milk"))
    await bench.restart()
    assert bench.items() == (("eggs",), ())
    assert await bench.do(ClearList("shopping"))
    assert bench.items() == ((), ())
    assert bench.shown[-1] == bench.lists.snapshot()


async def test_a_retried_turn_changes_nothing_more(bench: Bench) -> None:
    assert await bench.do(AddItem("shopping", "tea"), turn="turn-1")
    assert await bench.do(RemoveItem("shopping", "tea"), turn="turn-2")
    assert await bench.do(AddItem("shopping", "tea"), turn="turn-1")
    await bench.restart()
    assert await bench.do(AddItem("shopping", "tea"), turn="turn-1")
    assert bench.items() == (("milk",), ("eggs",))


async def test_many_at_once_on_one_list_lose_nothing(bench: Bench) -> None:
    await asyncio.gather(*(bench.do(AddItem("shopping", f"item {n}")) for n in range(40)))
    await asyncio.gather(*(bench.do(AddItem("new", f"item {n}")) for n in range(10)))
    shown = bench.lists.snapshot()
    await bench.restart()
    assert bench.lists.snapshot() == shown
    assert len(bench.items()[0]) == 41
    assert len(bench.items("new")[0]) == 10


async def test_another_process_on_the_same_list_loses_nothing(bench: Bench) -> None:
    other = Lists(bench.store)
    await other.load()
    await bench.do(AddItem("shopping", "tea"))
    assert await other.execute(AddItem("shopping", "coffee"), turn="t", index=0)
    assert other.snapshot()[0].items == ("milk", "tea", "coffee")
    await bench.do(CompleteItem("shopping", "coffee"))
    assert bench.items() == (("milk", "tea"), ("eggs", "coffee"))
    await other.close()


@pytest.mark.parametrize(
    "action", [AddItem("shopping", " "), AddItem("shopping", "x" * (MAX_NAME_CHARS + 1)), AddItem(" ", "x")]
)
async def test_malformed_items_are_refused(bench: Bench, action: Action) -> None:
    with pytest.raises(InvalidInputError):
        await bench.do(action)


async def test_other_actions_are_refused(bench: Bench) -> None:
    with pytest.raises(ActionError):
        await bench.do(StopRinging())
