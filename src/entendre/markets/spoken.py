"""A language as it is said in a country: "May 3rd" in the Philippines is "the 3rd of May" in Singapore."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from entendre.language.pack import LanguagePack
from entendre.markets.loader import load_pack
from entendre.markets.market import market_of

VARIANTS = "variants"
"""Key of say.yaml: by `date_order` of a market and by `24_hours` or `12_hours`, what is said there in other words."""


def spoken_in(pack: LanguagePack, country: str | None) -> LanguagePack:
    """The pack as values are said in a country; the same where that is no other, or the country is not known."""
    variants, market = pack.say.get(VARIANTS), market_of(country)
    if not variants or market is None:
        return pack
    return _varied(pack.language, market.formats.date_order, f"{market.formats.hours}_hours") or pack


@lru_cache(maxsize=128)
def _varied(language: str, *names: str) -> LanguagePack | None:
    pack = load_pack(language)
    say = dict(pack.say)
    for name in names:
        for table, words in pack.say[VARIANTS].get(name, {}).items():
            say[table] = {**say[table], **words}
    return replace(pack, say=say) if say != pack.say else None
