"""Lists: add, remove and tick items, clear, read, and ask what is on one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from entendre.core.actions import AddItem, ClearList, CompleteItem, RemoveItem
from entendre.core.home import ItemList, name_in
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.lists.items import split_items
from entendre.skills.slots import has_name, same_name, text

DEFAULT_LIST = "shopping"
"""The list meant when none is named, and its id when the home has none."""

MAX_SPOKEN_ITEMS = 20
SHORTEST_STEM, LONGEST_ENDING = 3, 2
"""Letters that words of a language with cases share, and may differ in."""


class ListsSkill:
    """Plans everything about the household's lists."""

    name = "lists"
    intents = frozenset({"ListAdd", "ListRemove", "ListComplete", "ListClear", "ListRead", "ListHas", "ListCount"})

    async def plan(self, request: Request) -> Plan:
        """A plan for one list command."""
        chosen = _chosen(request)
        match request.command.intent:
            case "ListAdd":
                return _add(request, chosen)
            case "ListRemove" | "ListComplete":
                return _take(request, chosen)
            case "ListClear":
                return _clear(request, chosen)
            case "ListHas":
                return _has(request, chosen)
            case "ListCount":
                return Plan(request.say("list_count", count=len(chosen.items), list=chosen.label))
            case _:
                return _read(request, chosen)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The list that a command is about; `known` is None when the home has no such list yet."""

    id: str
    label: str
    known: ItemList | None
    named: bool

    @property
    def items(self) -> tuple[str, ...]:
        """Items that are still to do."""
        return tuple(item for item in self.known.items if item not in self.known.done) if self.known else ()


def _chosen(request: Request) -> _Chosen:
    asked, open_name = text(request, "list"), text(request, "list_name")
    lists = request.world.home.lists
    for known in lists:
        if asked is not None and (known.id == asked or has_name(known.names, asked)):
            return _Chosen(known.id, _label(request, name_in(known.names, request.language) or known.id), known, True)
        if asked is None and open_name and _goes_by(request, known, open_name):
            return _Chosen(known.id, _label(request, name_in(known.names, request.language)), known, True)
    if asked or open_name:
        name = asked or open_name or ""
        if name.casefold() in request.terms("list_words").get("default_names", "").split("|"):
            return _default(request)
        return _Chosen(name, _label(request, name), None, True)
    return _default(request)


def _default(request: Request) -> _Chosen:
    for known in request.world.home.lists:
        if known.id == DEFAULT_LIST or has_name(known.names, request.say("list_default_name")):
            return _Chosen(known.id, _label(request, name_in(known.names, request.language)), known, False)
    return _Chosen(DEFAULT_LIST, _label(request, request.say("list_default_name")), None, False)


def _goes_by(request: Request, known: ItemList, name: str) -> bool:
    with_noun = request.say("list_label", name=name)
    return has_name(known.names, name) or has_name(known.names, with_noun)


def _label(request: Request, name: str) -> str:
    """A list's name as said in a sentence: with the word for a list, once."""
    folded, nouns = name.casefold(), _nouns(request)
    return name if folded.startswith(nouns) or folded.endswith(nouns) else request.say("list_label", name=name)


def _nouns(request: Request) -> tuple[str, ...]:
    """The words for a list, which a list's own name may hold."""
    return tuple(request.say("list_noun").casefold().split("|"))


def _add(request: Request, chosen: _Chosen) -> Plan:
    items = split_items(text(request, "item") or "", request.terms("list_words"))
    if not items:
        return Plan(request.say("list_ask_item", list=chosen.label), expects_reply=True, question="item")
    if any(noun in item.name.casefold().split() for item in items for noun in _nouns(request)):
        return Plan(request.say("list_unclear"), refusal=True)
    actions = tuple(AddItem(chosen.id, item.name, item.quantity) for item in items)
    # Adding what is there already changes at most its quantity, so it is never refused.
    there = all(any(same_name(item.name, known) for known in chosen.items) for item in items)
    names = tuple(item.spoken for item in items)
    return Plan(request.say("list_already" if there else "list_added", items=names, list=chosen.label), actions)


def _take(request: Request, chosen: _Chosen) -> Plan:
    """Remove or tick items; each must be on the list."""
    remove = request.command.intent == "ListRemove"
    items = split_items(text(request, "item") or "", request.terms("list_words"))
    if not items:
        return Plan(request.say("list_ask_item_take"), expects_reply=True, question="item")
    chosen = _holding(request, chosen, [item.name for item in items])
    found = [known for item in items for known in _on_list(chosen, item.name)]
    if not found:
        names = tuple(item.spoken for item in items)
        return Plan(request.say("list_not_there", items=names, list=chosen.label), refusal=True)
    kind = RemoveItem if remove else CompleteItem
    reply = request.say("list_removed" if remove else "list_completed", items=tuple(found), list=chosen.label)
    return Plan(reply, tuple(kind(chosen.id, item) for item in found))


def _holding(request: Request, chosen: _Chosen, names: list[str]) -> _Chosen:
    """The list that holds the items, when none was named and the default one does not."""
    if chosen.named or any(_on_list(chosen, name) for name in names):
        return chosen
    for known in request.world.home.lists:
        other = _Chosen(known.id, _label(request, name_in(known.names, request.language)), known, True)
        if any(_on_list(other, name) for name in names):
            return other
    return chosen


def _on_list(chosen: _Chosen, name: str) -> list[str]:
    """The list's own spelling of an item; a longer entry counts when it ends with the words asked."""
    exact = [item for item in chosen.items if same_name(item, name)]
    if exact:
        return exact
    asked = name.casefold().split()
    ending = [item for item in chosen.items if item.casefold().split()[-len(asked) :] == asked]
    return ending or [item for item in chosen.items if _same_but_endings(item.casefold().split(), asked)]


def _same_but_endings(known: Sequence[str], asked: Sequence[str]) -> bool:
    """Whether words are the same but for a case or number ending ("sütü" of "süt", "молока" of "молоко")."""
    return len(known) == len(asked) and all(
        _shared_letters(one, other) >= max(SHORTEST_STEM, max(len(one), len(other)) - LONGEST_ENDING)
        for one, other in zip(known, asked, strict=True)
    )


def _shared_letters(one: str, other: str) -> int:
    """How many letters two words begin alike with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _clear(request: Request, chosen: _Chosen) -> Plan:
    if chosen.known is None:
        return Plan(request.say("list_unknown", list=chosen.label), refusal=True)
    if not chosen.known.items:
        return Plan(request.say("list_empty", list=chosen.label))
    return Plan(request.say("list_cleared", list=chosen.label), (ClearList(chosen.id),))


def _has(request: Request, chosen: _Chosen) -> Plan:
    name = text(request, "item") or ""
    found = _on_list(chosen, name)
    return Plan(request.say("list_has" if found else "list_has_not", item=name, list=chosen.label))


def _read(request: Request, chosen: _Chosen) -> Plan:
    if chosen.known is None and chosen.named:
        return Plan(request.say("list_unknown", list=chosen.label), refusal=True)
    if not chosen.items:
        return Plan(request.say("list_empty", list=chosen.label))
    more = len(chosen.items) - MAX_SPOKEN_ITEMS
    return Plan(
        request.say(
            "list_read", items=chosen.items[:MAX_SPOKEN_ITEMS], list=chosen.label, count=more if more > 0 else None
        )
    )


SKILL = ListsSkill()
