"""Which form of a word a number takes: CLDR's cardinal plural rules of the languages that are spoken here."""

from __future__ import annotations

_ONE_FORM = frozenset({"zh", "ja", "ko", "th", "vi", "ms", "id", "yue", "lo", "km", "my"})
_ZERO_IS_ONE = frozenset({"hi", "fr", "pt", "bn", "fa", "am", "gu", "kn"})
_SLAVIC = frozenset({"ru", "uk", "be"})
_FILIPINO_OTHER = (4, 6, 9)


def plural_category(language: str, count: float) -> str:
    """`one`, `few`, `many` or `other`. Source: CLDR, cardinal rules."""
    base, size = language.split("-")[0], abs(count)
    whole = size == int(size)
    if base in _ONE_FORM:
        return "other"
    if base in _SLAVIC:
        return _slavic(int(size)) if whole else "other"
    if base == "fil":
        return "one" if whole and (size in (1, 2, 3) or int(size) % 10 not in _FILIPINO_OTHER) else "other"
    if base == "pt":
        return "one" if int(size) in (0, 1) else "other"
    if base in _ZERO_IS_ONE:
        return "one" if 0 <= size <= 1 else "other"
    return "one" if size == 1 else "other"


def plural_index(language: str, count: float) -> int:
    """Which of the forms of a template a number takes, counted from 0; a broken Slavic number takes the second."""
    category, base = plural_category(language, count), language.split("-")[0]
    if base in _ONE_FORM:
        return 0
    if base in _SLAVIC:
        return {"one": 0, "few": 1, "many": 2, "other": 1}[category]
    return 0 if category == "one" else 1


def _slavic(count: int) -> str:
    if count % 10 == 1 and count % 100 != 11:
        return "one"
    return "few" if count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14) else "many"
