"""The names of one home, found in sentences. Rebuilt whenever the home changes, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from entendre.core.home import HomeSnapshot, ItemList, Names, Scene
from entendre.language.pack import LanguagePack
from entendre.language.skeletons import latin
from entendre.language.sounds import SoundIndex
from entendre.language.tokens import Tokenizer

OTHER_FORM_COST = 0.01
WHOLE_NAME_COST = -0.05
"""A whole name of several words is meant, whatever else the words may say."""
ALIAS_COST = 0.03
SHORTENED_COST = 0.05
FIRST_WORD_COST = 0.08
JOINED_COST = 0.08
ARTICLE_COST = 0.02
MAX_NAME_WORDS = 8
MAX_JOINED_WORDS = 4


@dataclass(frozen=True, slots=True)
class NameHit:
    """A name found: what `kind` of thing, the ids that bear it, where it ends, and how sure it is (0 is certain)."""

    kind: str
    ids: tuple[str, ...]
    end: int
    cost: float


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    entries: dict[str, dict[str, float]] = field(default_factory=dict)


class NameWords:
    """What a language says of names, whatever home they are of. Made once: the index of each home needs it."""

    def __init__(self, pack: LanguagePack, tokenizer: Tokenizer) -> None:
        numbers = {word: value for word, value in {**pack.numbers.ones, **pack.numbers.values}.items() if value < 20}
        self.pack = pack
        self.tokenizer = tokenizer
        self.sounds = SoundIndex(pack.words, ())
        self.numerals = {word: str(value) for word, value in numbers.items()}
        self.articles = frozenset(word for word, cost in pack.words.light.items() if cost <= ARTICLE_COST)
        self.generic = _generic_stems(pack, tokenizer)
        self.kinds = _kind_phrases(pack, tokenizer)
        self.too_plain = self.generic | _plain_stems(pack, tokenizer) | frozenset(self.numerals.values())
        self.room_leads = frozenset(pack.names.get("room_lead", ()))
        self.aliases = _aliases(pack, tokenizer)
        self.longest = MAX_NAME_WORDS * pack.words.tokens_a_word
        self.cut_freely = pack.words.tokens_a_word == 1
        self.turned = bool(pack.names.get("turned"))


class NameIndex:
    """A trie of the stems of every name of a home."""

    def __init__(self, home: HomeSnapshot, words: NameWords) -> None:
        self._words = words
        self._pack = words.pack
        self._tokenizer = words.tokenizer
        self._root = _Node()
        self._joined: dict[str, list[tuple[str, str]]] = {}
        self._vocabulary: set[str] = set()
        self._exact: set[tuple[str, ...]] = set()
        self._add_home(home)
        self.sounds = words.sounds.of(self._vocabulary)

    @property
    def vocabulary(self) -> frozenset[str]:
        """The stems that names are made of."""
        return frozenset(self._vocabulary)

    def by_sound(self, fixed: frozenset[str]) -> NameIndex:
        """The same names, found also by what sounds like them (`SoundIndex.by_sound`)."""
        other = copy(self)
        other.sounds = self.sounds.by_sound(fixed)
        return other

    def has_word(self, word: str) -> bool:
        """Whether some name of the home has a word."""
        return self._form(word) in self._vocabulary

    def _form(self, word: str) -> str:
        """A word without its number ending; a spoken numeral as digits, for "lamp two" is written "Lamp 2"."""
        return self._words.numerals.get(word) or self._tokenizer.stem(word)

    def _add_home(self, home: HomeSnapshot) -> None:
        rooms = {room.id: self._spoken(room.names) for room in home.rooms}
        for room_id, spoken in rooms.items():
            for words in spoken:
                self._add("room", words, room_id, 0.0)
        for floor_id, floor_names in home.floors.items():
            for words in self._spoken(floor_names):
                self._add("room", words, floor_id, 0.0)
        for kind, things, nouns in (("scene", home.scenes, "scene_nouns"), ("list", home.lists, "list_nouns")):
            for thing in things:
                self._add_with_noun(kind, thing, frozenset(self._pack.names.get(nouns, ())))
        self._add_appliances(home, rooms)

    def _add_with_noun(self, kind: str, thing: Scene | ItemList, nouns: frozenset[str]) -> None:
        """A scene's or list's names, with and without the word for what it is."""
        for words in self._spoken(thing.names):
            self._add(kind, words, thing.id, 0.0)
            if words[-1] not in nouns and words[0] not in nouns:
                for noun in nouns:
                    self._add(kind, (*words, noun), thing.id, 0.0)
                    if self._pack.names.get("nouns_lead"):
                        self._add(kind, (*noun.split(), *words), thing.id, 0.0)
            elif len(words) > 1:
                rest = words[:-1] if words[-1] in nouns else words[1:]
                while len(rest) > 1 and rest[0] in self._words.articles:
                    rest = rest[1:]
                self._add(kind, rest, thing.id, 0.0)

    def _add_appliances(self, home: HomeSnapshot, rooms: Mapping[str, Sequence[tuple[str, ...]]]) -> None:
        own_rooms = frozenset(words for spoken in rooms.values() for words in spoken)
        for appliance in home.appliances:
            for words in self._spoken(appliance.names):
                self._add("appliance", words, appliance.id, 0.0)
                self._add_shortened(words, appliance.id, own_rooms)
                for room_words in rooms.get(appliance.room or "", ())[:2]:
                    if words[: len(room_words)] != room_words:
                        self._add("appliance", room_words + words, appliance.id, OTHER_FORM_COST)

    def _add_shortened(self, words: tuple[str, ...], appliance: str, rooms: frozenset[tuple[str, ...]]) -> None:
        """Parts of a name that still say more than its kind or a room: "ceiling light" of "bedroom ceiling light"."""
        if not self._words.cut_freely:
            self._add_without_room(words, appliance, rooms)
            return
        parts = [words[start:] for start in range(1, len(words))]
        parts += [words[:end] for end in range(2, len(words))]
        parts += [(words[-1], *words[:-1])] if len(words) > 2 or (self._words.turned and len(words) == 2) else []
        leads = self._words.room_leads
        for part in parts:
            says_more = any(self._form(word) not in self._words.generic for word in part)
            if part not in rooms and says_more and part[0] not in leads and part[-1] not in leads:
                self._add("appliance", part, appliance, SHORTENED_COST)
        plain = self._form(words[0]) in self._words.too_plain
        if len(words) == 2 and not plain and all(words[0] != it[0] for it in rooms):
            self._add("appliance", words[:1], appliance, FIRST_WORD_COST)

    def _add_without_room(self, words: tuple[str, ...], appliance: str, rooms: frozenset[tuple[str, ...]]) -> None:
        """A name without the room that it begins with, where words are written together."""
        for room in rooms:
            rest = words[len(room) :] if words[: len(room)] == room else ()
            while rest and rest[0] in self._words.articles:
                rest = rest[1:]
            if len(rest) > 1 and rest not in self._words.kinds:
                self._add("appliance", rest, appliance, SHORTENED_COST)

    def _spoken(self, names: Names) -> list[tuple[str, ...]]:
        language = self._pack.language
        tags = dict.fromkeys((language, language.split("-")[0], "", *names))
        chosen: list[str] = [name for tag in tags for name in names.get(tag, ())]
        spoken = [self._tokenizer.words(name)[: self._words.longest] for name in chosen]
        spoken += [self._tokenizer.words(latin(name))[: self._words.longest] for name in chosen if not name.isascii()]
        spoken += [words[1:] for words in spoken if len(words) > 1 and words[0] in self._words.articles]
        return list(dict.fromkeys(words for words in spoken if words))

    def _add(self, kind: str, words: tuple[str, ...], identifier: str, cost: float) -> None:
        if not cost:
            self._exact.add(words)
            for other in self._renamed(words):
                self._add(kind, other, identifier, ALIAS_COST)
        node = self._root
        for word in words:
            stem = self._form(word)
            self._vocabulary.add(stem)
            node = node.children.setdefault(stem, _Node())
        ids = node.entries.setdefault(kind, {})
        ids[identifier] = min(cost, ids.get(identifier, cost))
        if cost < SHORTENED_COST and len("".join(words)) > 4:
            self._joined.setdefault("".join(words), []).append((kind, identifier))

    def _renamed(self, words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
        """A name with one part of it said in another way."""
        for start in range(len(words)):
            for end in range(start + 1, len(words) + 1):
                for other in self._words.aliases.get(words[start:end], ()):
                    yield words[:start] + other + words[end:]

    def at(self, words: Sequence[str], start: int) -> list[NameHit]:
        """Names that begin at a word, spoken as they are or in another number."""
        hits: list[NameHit] = []
        node: _Node | None = self._root
        for position in range(start, min(len(words), start + self._words.longest)):
            assert node is not None
            node = node.children.get(self._form(words[position]))
            if node is None:
                break
            if node.entries:
                spoken = tuple(words[start : position + 1])
                cost = OTHER_FORM_COST if spoken not in self._exact else WHOLE_NAME_COST if position > start else 0.0
                hits.extend(_hits(node, position + 1, cost, shared=spoken in self._words.kinds))
        return hits

    def near(self, words: Sequence[str], start: int, budget: float) -> list[NameHit]:
        """Names that begin at a word and were misheard, run together or torn apart."""
        hits = self._run_together(words, start)
        stack: list[tuple[int, _Node, float]] = [(start, self._root, 0.0)]
        while stack:
            position, node, cost = stack.pop()
            if cost and node.entries:
                hits.extend(_hits(node, position, cost))
            if position >= len(words) or position - start >= self._words.longest:
                continue
            word = words[position]
            stem = self._form(word)
            child = node.children.get(stem)
            if child is not None:
                stack.append((position + 1, child, cost))
            for meant, extra in self.sounds.alike(stem):
                near = node.children.get(meant)
                if near is not None and cost + extra <= budget:
                    stack.append((position + 1, near, cost + extra))
        return hits

    def _run_together(self, words: Sequence[str], start: int) -> list[NameHit]:
        hits: list[NameHit] = []
        text = ""
        for end in range(start + 1, min(len(words), start + MAX_JOINED_WORDS) + 1):
            text += words[end - 1]
            grouped: dict[str, list[str]] = {}
            for kind, identifier in self._joined.get(text, ()):
                grouped.setdefault(kind, []).append(identifier)
            hits.extend(NameHit(kind, tuple(ids), end, JOINED_COST) for kind, ids in grouped.items())
        return hits

    def begins(self, words: Sequence[str], kind: str) -> bool:
        """Whether these words are the beginning of a name of that kind, but not the whole of one."""
        node = self._root
        for word in words:
            child = node.children.get(self._form(word))
            if child is None:
                return False
            node = child
        return bool(words) and _reaches(node, kind)


def _hits(node: _Node, end: int, cost: float, *, shared: bool = False) -> Iterable[NameHit]:
    """What a node names; a word for a kind of thing ("fan") is `shared` with what is called so as well as its name."""
    for kind, ids in node.entries.items():
        least = min(ids.values())
        most = max(least, ALIAS_COST) if shared else least
        chosen = tuple(identifier for identifier, own in ids.items() if own <= most)
        yield NameHit(kind, chosen, end, cost + least)


def _reaches(node: _Node, kind: str) -> bool:
    stack = list(node.children.values())
    while stack:
        child = stack.pop()
        if kind in child.entries and min(child.entries[kind].values()) < SHORTENED_COST:
            return True
        stack.extend(child.children.values())
    return False


def _generic_stems(pack: LanguagePack, tokenizer: Tokenizer) -> frozenset[str]:
    """Stems that say only of what kind a thing is."""
    words: set[str] = set()
    for templates in pack.names.get("kinds", {}).values():
        for template in templates:
            words.update(tokenizer.words(template))
    return frozenset(tokenizer.stem(word) for word in words)


def _kind_phrases(pack: LanguagePack, tokenizer: Tokenizer) -> frozenset[tuple[str, ...]]:
    """The words for kinds of things that are a list of plain words: "(light|lamp)"."""
    templates = (template for spoken in pack.names.get("kinds", {}).values() for template in spoken)
    plain = (template.strip("()") for template in templates)
    return frozenset(tokenizer.words(word) for each in plain if "[" not in each for word in each.split("|"))


def _plain_stems(pack: LanguagePack, tokenizer: Tokenizer) -> frozenset[str]:
    """Stems of small words and colours, which never are a name by themselves."""
    colors = (
        word for spoken in pack.names.get("colors", {}).values() for say in spoken for word in tokenizer.words(say)
    )
    return frozenset(tokenizer.stem(word) for word in (*pack.words.light, *colors))


def _aliases(pack: LanguagePack, tokenizer: Tokenizer) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    """Parts of names -> what else people call them."""
    found: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for group in pack.names.get("aliases", ()):
        spoken = [tokenizer.words(name) for name in group]
        for words in spoken:
            found.setdefault(words, []).extend(other for other in spoken if other != words)
    return found
