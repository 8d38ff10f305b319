"""Reply templates: what a skill says, with its values spoken as people say them.

Syntax: `{name}` a value, `{name:format}` a value spoken as that format, `{name:plural(timer|timers)}` the form that
the number takes in the language, `{name:duration(genitive)}` a duration in a case that the language has, `{name:term}`
a word of the file's `terms.<name>` table, `{name:term(weather)}` one of `terms.weather`, `{name:swapped(person)}` a
text with each word of `terms.person`, or ending (`-ending`), replaced. A `[part in brackets]` is left out when one of
its values is missing or empty. A template that ends as a sentence does begins with a capital; any other is a phrase to
put inside one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from entendre.language.plurals import plural_index

Formatter = Callable[[Any], str]
"""One value as people say it in a language."""

PLAIN = "plain"
PLURAL = "plural"
TERM = "term"
SWAPPED = "swapped"

_OWN_FORMATS = frozenset({None, PLAIN, PLURAL, TERM, SWAPPED})
_OF_SEQUENCES = frozenset({"list", "choice"})

_TOKEN = re.compile(r"\{(\w+)(?::(\w+)(?:\(([^()]*)\))?)?\}|([\[\]])|([^\[\]{}]+)")
_SPACES = re.compile(r"\s+")
_SPACE_BEFORE_MARK = re.compile(r"\s+([,.;:!?])")

_SENTENCE_END = (".", "?", "!", "…", "।", "。", "？", "！")
_DOTTED_I = frozenset({"tr", "az"})

_NEEDS_SPACE = re.compile("[\u0e00-\u0e7f][^\\W\\d_\u0e00-\u0e7f]|[^\\W\\d_\u0e00-\u0e7f][\u0e00-\u0e7f]")
"""Where Thai, which has no spaces between words, meets a name in another script."""


class TemplateError(ValueError):
    """A reply template is malformed; the message names what is wrong."""


@dataclass(frozen=True, slots=True)
class _Text:
    text: str


@dataclass(frozen=True, slots=True)
class _Value:
    name: str
    format: str | None
    argument: str | None


@dataclass(frozen=True, slots=True)
class _Optional:
    parts: tuple[_Part, ...]


_Part = _Text | _Value | _Optional


def _parse(source: str) -> tuple[_Part, ...]:
    stack: list[list[_Part]] = [[]]
    position = 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise TemplateError(f"bad character at {position} in {source!r}")
        position = match.end()
        name, form, argument, bracket, text = match.groups()
        if name:
            stack[-1].append(_Value(name, form, argument))
        elif bracket == "[":
            stack.append([])
        elif bracket == "]":
            if len(stack) == 1:
                raise TemplateError(f"']' without '[' in {source!r}")
            part = _Optional(tuple(stack.pop()))
            stack[-1].append(part)
        else:
            stack[-1].append(_Text(text))
    if len(stack) > 1:
        raise TemplateError(f"'[' without ']' in {source!r}")
    return tuple(stack[0])


def _names(parts: tuple[_Part, ...]) -> frozenset[str]:
    found: set[str] = set()
    for part in parts:
        if isinstance(part, _Value):
            found.add(part.name)
        elif isinstance(part, _Optional):
            found |= _names(part.parts)
    return frozenset(found)


def _swapped(word: str, words: Mapping[str, str]) -> str:
    """A word as another person says it: the whole of it, or its longest ending that a table has after a dash."""
    if (whole := words.get(word.lower())) is not None:
        return whole
    endings = ((cut, words.get(f"-{word[cut:].lower()}")) for cut in range(1, len(word)))
    return next((word[:cut] + ending for cut, ending in endings if ending), word)


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, str | tuple | list) and not value)


class Replies:
    """The replies of one skill in one language.

    Raises: TemplateError when a template is malformed.
    """

    def __init__(
        self,
        language: str,
        templates: Mapping[str, str],
        terms: Mapping[str, Mapping[str, str]],
        formatters: Mapping[str, Formatter],
    ) -> None:
        self.language = language
        self._templates = {key: _parse(str(source)) for key, source in templates.items()}
        self._terms = terms
        self._formatters = formatters
        for key, parts in self._templates.items():
            self._check_formats(key, parts)

    def spoken_with(self, formatters: Mapping[str, Formatter]) -> Replies:
        """The same replies with other formatters of the same names, such as those of another day; cheap."""
        other = object.__new__(Replies)
        other.__dict__.update(self.__dict__)
        other._formatters = formatters
        return other

    @property
    def keys(self) -> frozenset[str]:
        """Every reply this can say."""
        return frozenset(self._templates)

    def terms(self, table: str) -> Mapping[str, str]:
        """A table of words, empty when there is none of that name."""
        return self._terms.get(table, {})

    def placeholders(self, key: str) -> frozenset[str]:
        """Names of the values that a reply uses."""
        return _names(self._templates[key])

    def say(self, key: str, **values: Any) -> str:
        """One reply with its values filled in.

        Raises: KeyError when there is no such reply, or a value outside brackets is missing.
        """
        text = self._render(self._templates[key], values)
        text = _SPACE_BEFORE_MARK.sub(r"\1", _SPACES.sub(" ", text)).strip()
        return self._capitalized(text)

    def _check_formats(self, key: str, parts: tuple[_Part, ...]) -> None:
        for part in parts:
            if isinstance(part, _Optional):
                self._check_formats(key, part.parts)
            elif isinstance(part, _Value) and part.format not in _OWN_FORMATS:
                form = f"{part.format}({part.argument})" if part.argument else part.format
                if form not in self._formatters:
                    raise TemplateError(f"{key}: unknown format {form!r}")

    def _render(self, parts: tuple[_Part, ...], values: Mapping[str, Any]) -> str:
        said = ""
        for piece in (self._part(part, values) for part in parts):
            said += f" {piece}" if _NEEDS_SPACE.match(said[-1:] + piece[:1]) else piece
        return said

    def _part(self, part: _Part, values: Mapping[str, Any]) -> str:
        if isinstance(part, _Text):
            return part.text
        if isinstance(part, _Value):
            return self._value(part, values[part.name])
        if any(_is_empty(values.get(inner.name)) for inner in part.parts if isinstance(inner, _Value)):
            return ""
        return self._render(part.parts, values)

    def _value(self, part: _Value, value: Any) -> str:
        if part.format == PLURAL:
            forms = (part.argument or "").split("|")
            return forms[min(plural_index(self.language, value), len(forms) - 1)]
        if part.format == TERM:
            return str(self._terms[part.argument or part.name][str(value)])
        if part.format == SWAPPED:
            words = self._terms[part.argument or part.name]
            return " ".join(_swapped(word, words) for word in str(value).split())
        form = part.format or self._implied(part.name, value)
        if form is None or form == PLAIN:
            return self._by_type(value) if form is None else str(value)
        return self._formatters[f"{form}({part.argument})" if part.argument else form](value)

    def _implied(self, name: str, value: Any) -> str | None:
        """The format of a value's own name; words under a list's name are said as they are."""
        if name not in self._formatters or (name in _OF_SEQUENCES and isinstance(value, str)):
            return None
        return name

    def _by_type(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, tuple | list) and "list" in self._formatters:
            return self._formatters["list"](value)
        if isinstance(value, int | float) and "number" in self._formatters:
            return self._formatters["number"](value)
        return str(value)

    def _capitalized(self, text: str) -> str:
        first = text[:1]
        if not text.endswith(_SENTENCE_END):
            return text
        if first == "i" and self.language.split("-")[0] in _DOTTED_I:
            return "İ" + text[1:]
        return first.upper() + text[1:]
