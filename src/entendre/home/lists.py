"""Lists of the household: kept in the database, read from memory, changed once per action of a turn."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from entendre.core.actions import Action, AddItem, ClearList, CompleteItem, RemoveItem, action_to_json
from entendre.core.errors import ActionError, ConflictError, InvalidInputError
from entendre.core.home import ItemList, Names, all_names
from entendre.ports import ActionKey, Change, ItemRow, ListRow, OutboxEvent, Store
from entendre.system import new_id

ListAction = AddItem | RemoveItem | CompleteItem | ClearList
ListsCallback = Callable[[tuple[ItemList, ...]], None]

MAX_LISTS = 200
MAX_ITEMS = 1_000
MAX_NAME_CHARS = 200
ATTEMPTS = 8
"""Times that a change is tried when others change the same list."""
_LATIN_MARKS = range(0x0300, 0x0370)
"""Accents of Latin, Greek and Cyrillic. Marks of other scripts make another word, so they stay."""


@dataclass(frozen=True, slots=True)
class _List:
    """A list as stored, with its items in order."""

    row: ListRow
    items: tuple[ItemRow, ...] = ()


class Lists:
    """The lists of one region. `await load()` first."""

    def __init__(self, store: Store, on_change: ListsCallback | None = None) -> None:
        """`on_change` is given the new snapshot after every change, and after `load`."""
        self._store = store
        self._on_change = on_change
        self._lists: dict[str, _List] = {}
        self._snapshot: tuple[ItemList, ...] = ()
        self._writes: set[asyncio.Task[bool]] = set()
        self._one_by_one = asyncio.Lock()

    def snapshot(self) -> tuple[ItemList, ...]:
        """Every list; `items` are those to do, `done` those that are ticked."""
        return self._snapshot

    def id_of(self, name: str) -> str | None:
        """The id of the list that goes by a name or id; None if there is none."""
        found = self._find(name)
        return None if found is None else found.row.id

    async def load(self) -> None:
        """Read the database. Raises: StoreError."""
        for row, items in await self._store.lists():
            self._put(_List(row, items))
        self._show()

    def forget(self) -> None:
        """Forget what is remembered of the lists: the database has others now. `load` comes next."""
        self._lists.clear()

    async def seed(self, lists: Iterable[ItemList]) -> None:
        """Make those lists of a home document that do not exist yet; existing ones stay as people left them."""
        missing = [each for each in lists if each.id not in self._lists]
        if not missing:
            return
        rows = tuple(ListRow(each.id, each.names) for each in missing)
        items = tuple(item for each in missing for item in _seeded(each))
        try:
            await self._store.write(Change(lists=rows, items=items))
        except ConflictError:  # another process made them at the same moment
            await self.load()
            return
        for row in rows:
            self._put(_List(replace(row, version=1), tuple(item for item in items if item.list == row.id)))
        self._show()

    async def execute(self, action: Action, *, turn: str, index: int, language: str = "") -> bool:
        """Do a list action of a committed plan, once per turn and index; returns whether it changed anything.

        Raises: InvalidInputError, StoreError; ActionError for other actions.
        """
        if not isinstance(action, AddItem | RemoveItem | CompleteItem | ClearList):
            raise ActionError("That is no list.", detail=f"not a list action: {action.type}")
        # A caller that is cancelled meanwhile does not leave the memory behind the database.
        task = asyncio.create_task(self._until_written(action, ActionKey(turn, index), language))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Finish the writes that are under way."""
        await asyncio.gather(*self._writes, return_exceptions=True)

    async def _until_written(self, action: ListAction, key: ActionKey, language: str) -> bool:
        """Lists are independent, so changes run side by side; those that met on one list go on one by one."""
        try:
            return await self._execute(action, key, language)
        except ConflictError:
            async with self._one_by_one:
                for _ in range(ATTEMPTS):
                    await self.load()
                    try:
                        return await self._execute(action, key, language)
                    except ConflictError:
                        continue
                raise

    async def _execute(self, action: ListAction, key: ActionKey, language: str) -> bool:
        change, after = self._plan(action, language)
        if after is None:  # perhaps only as this process remembers the list
            await self.load()
            change, after = self._plan(action, language)
        once = replace(change, once=key, action=json.dumps(action_to_json(action), ensure_ascii=False))
        did = after is not None
        earlier = await self._store.write(replace(once, result=json.dumps(did)))
        if earlier is not None:
            return bool(json.loads(earlier.result))
        if after is not None:
            self._put(after)
            self._show()
        return did

    def _plan(self, action: ListAction, language: str) -> tuple[Change, _List | None]:
        known = self._find(action.list)
        return _changed(action, known, self._made(action, language) if known is None else known)

    def _find(self, name: str) -> _List | None:
        if name in self._lists:
            return self._lists[name]
        wanted = folded(name)
        named = (each for each in self._lists.values() if wanted in map(folded, all_names(each.row.names)))
        return next(named, None)

    def _made(self, action: ListAction, language: str) -> _List:
        name = action.list.strip()
        if not isinstance(action, AddItem):
            return _List(ListRow("", {}))
        if not name or len(name) > MAX_NAME_CHARS:
            raise InvalidInputError(f"The name of a list has 1 to {MAX_NAME_CHARS} characters.")
        if len(self._lists) >= MAX_LISTS:
            raise InvalidInputError(f"There can be {MAX_LISTS} lists.")
        # The name that people said is also the id, so that the next plan, made before this write, means the same list.
        return _List(ListRow(name, {language: (name,)}))

    def _put(self, each: _List) -> None:
        known = self._lists.get(each.row.id)
        if known is None or known.row.version < each.row.version:
            self._lists[each.row.id] = each

    def _show(self) -> None:
        self._snapshot = tuple(_shown(self._lists[each]) for each in sorted(self._lists))
        if self._on_change is not None:
            self._on_change(self._snapshot)


def folded(text: str) -> str:
    """What two spellings of the same item share: no case, accents, or extra spaces."""
    plain = (mark for mark in unicodedata.normalize("NFKD", text.casefold()) if ord(mark) not in _LATIN_MARKS)
    return " ".join("".join(plain).split())


def _changed(action: ListAction, known: _List | None, before: _List) -> tuple[Change, _List | None]:
    """The rows that an action changes and the list after it; None if it changes nothing."""
    put, dropped = _item_changes(action, before)
    if not put and not dropped:
        return Change(), None
    gone = {item.id for item in put} | set(dropped)
    items = (*(item for item in before.items if item.id not in gone), *put)
    ordered = tuple(sorted(items, key=lambda item: item.position))
    event = OutboxEvent("list", before.row.id, "changed" if known else "made")
    change = Change(lists=(before.row,), items=put, dropped_items=dropped, events=(event,))
    return change, _List(replace(before.row, version=before.row.version + 1), ordered)


def _item_changes(action: ListAction, before: _List) -> tuple[tuple[ItemRow, ...], tuple[str, ...]]:
    """Items to write, and ids of items to drop."""
    if isinstance(action, ClearList):
        return (), tuple(item.id for item in before.items)
    if isinstance(action, AddItem):
        return _added(action, before), ()
    found = _matching(before, action.item)
    if isinstance(action, RemoveItem):
        return (), tuple(item.id for item in found)
    return tuple(replace(item, done=True) for item in found if not item.done), ()


def _added(action: AddItem, before: _List) -> tuple[ItemRow, ...]:
    text, quantity = action.item.strip(), (action.quantity or "").strip() or None
    if not text or len(text) + len(quantity or "") > MAX_NAME_CHARS:
        raise InvalidInputError(f"An item has 1 to {MAX_NAME_CHARS} characters.")
    last = max((item.position for item in before.items), default=0)
    same = [item for item in before.items if folded(item.text) == folded(text)]
    if same:
        again = replace(same[0], quantity=quantity or same[0].quantity)
        if again.done:
            again = replace(again, done=False, quantity=quantity, position=last + 1)
        return () if again == same[0] else (again,)
    if len(before.items) >= MAX_ITEMS:
        raise InvalidInputError(f"A list has at most {MAX_ITEMS} items.")
    return (ItemRow(new_id(), before.row.id, text, quantity, False, last + 1),)


def _matching(before: _List, name: str) -> list[ItemRow]:
    """Items called so, with or without their quantity; those still to do first."""
    wanted = folded(name)
    found = [item for item in before.items if wanted in (folded(item.text), folded(_spoken(item)))]
    return [item for item in found if not item.done] or found


def _seeded(each: ItemList) -> list[ItemRow]:
    texts = dict.fromkeys((*each.items, *each.done))
    return [
        ItemRow(new_id(), each.id, text, None, text in each.done, position)
        for position, text in enumerate(texts, start=1)
    ]


def _shown(each: _List) -> ItemList:
    names: Names = each.row.names
    todo = tuple(_spoken(item) for item in each.items if not item.done)
    return ItemList(each.row.id, names, todo, tuple(_spoken(item) for item in each.items if item.done))


def _spoken(item: ItemRow) -> str:
    return f"{item.quantity} {item.text}" if item.quantity else item.text
