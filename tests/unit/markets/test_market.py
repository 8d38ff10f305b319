"""Markets: every file is whole, what is wrong in one is named, and policies are the strictest elsewhere."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from msgspec.structs import replace

from entendre.core.consent import Purpose
from entendre.core.errors import InvalidInputError
from entendre.markets.market import STRICTEST, market_of, markets, policy_of, read_market

TEN = {"CN", "SG", "MY", "PH", "IN", "TH", "RU", "TR", "BR", "MX"}


def test_the_ten_markets_are_there_with_their_languages():
    assert set(markets()) >= TEN
    first = {code: market.language for code, market in markets().items() if code in TEN}
    assert first["CN"] == "zh-CN"
    assert first["BR"] == "pt-BR"
    assert list(markets()["IN"].languages) == ["hi-IN", "en-IN", "ta-IN"]
    assert all(tag.endswith(code) for code, market in markets().items() for tag in market.languages)


def test_numbers_dates_and_hours_are_those_of_the_country():
    formats = {code: market.formats for code, market in markets().items()}
    assert formats["IN"].groups == (3, 2)
    assert formats["MX"].decimal_mark == "."
    assert (formats["RU"].decimal_mark, formats["RU"].group_mark) == (",", "\u00a0")
    assert formats["PH"].date_order == "mdy"
    assert formats["TH"].calendar == "buddhist"
    assert (formats["BR"].hours, formats["SG"].hours) == (24, 12)


def test_policies_come_from_the_files_and_are_the_strictest_elsewhere():
    assert policy_of("RU").never == {Purpose.SPEAKER_IDENTIFICATION}
    assert policy_of("cn").consent_age == 14
    assert policy_of("RU").residency == policy_of("CN").residency == "country"
    anywhere = policy_of(None)
    assert policy_of("ZZ") is anywhere
    assert replace(anywhere, never=frozenset()) == STRICTEST
    assert anywhere.never == {Purpose.SPEAKER_IDENTIFICATION}
    assert market_of("ZZ") is None
    for market in markets().values():
        assert market.policy.answer_days <= STRICTEST.answer_days
        assert market.policy.consent_age <= STRICTEST.consent_age


def _changed(folder: Path, old: str, new: str) -> Path:
    text = (files("entendre.markets") / "th" / "market.yaml").read_text(encoding="utf-8")
    assert old in text
    place = folder / "th"
    place.mkdir()
    (place / "market.yaml").write_text(text.replace(old, new), encoding="utf-8")
    return place


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("hours: 24", "hours: 25", "formats.hours"),
        ("date_order: dmy", "date_oder: dmy", "date_oder"),
        ("code: TH", "code: TR", "code"),
        ("consent_age: 18", "consent_age: -1", "policy.consent_age"),
        ("never: []", "never: [breathing]", "policy.never"),
        ('["22:00", "08:00"]', '["22:00", "28:00"]', "policy.quiet_hours"),
        ("temperature: C", "temperature: K", "units.temperature"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(tmp_path, old, new, named):
    with pytest.raises(InvalidInputError) as caught:
        read_market(_changed(tmp_path, old, new))
    assert "markets/th/market.yaml" in caught.value.public_message
    assert named in caught.value.public_message


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"code: BR\nlanguages: {", "markets/br/market.yaml, line 3 is not valid YAML."),
        (b"\tcode: BR", "markets/br/market.yaml, line 1 is not valid YAML."),
        (b"name: Bra\xffsil", "markets/br/market.yaml is not UTF-8 text."),
        (b"", "markets/br/market.yaml must be a mapping."),
    ],
)
def test_a_file_that_cannot_be_read_says_which_and_where(tmp_path: Path, written: bytes, said: str) -> None:
    folder = tmp_path / "br"
    folder.mkdir()
    (folder / "market.yaml").write_bytes(written)
    with pytest.raises(InvalidInputError) as caught:
        read_market(folder)
    assert caught.value.public_message == said
