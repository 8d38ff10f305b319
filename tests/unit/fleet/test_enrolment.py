"""Keys of single devices, proofs, and home regions by country."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from entendre.core.errors import InvalidInputError
from entendre.fleet.enrolment import (
    clean_country,
    clean_regions,
    clean_serial,
    derived_key,
    proves,
    region_for,
    symmetric_proof,
)

KEY = bytes(range(32))


def test_a_derived_key_is_the_hmac_that_other_device_clouds_use() -> None:
    """Source: the example in the documentation of Azure's device provisioning service."""
    group = "8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw=="
    made = derived_key(base64.b64decode(group), "sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6")
    assert base64.b64encode(made).decode() == "Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc="


def test_a_proof_is_of_one_group_serial_and_challenge() -> None:
    proof = symmetric_proof(derived_key(KEY, "A-1"), "g", "A-1", "c")
    assert proves(KEY, "g", "A-1", "c", proof)
    assert not proves(KEY, "h", "A-1", "c", proof)
    assert not proves(KEY, "g", "A-2", "c", proof)
    assert not proves(KEY, "g", "A-1", "d", proof)
    assert not proves(bytes(32), "g", "A-1", "c", proof)
    assert not proves(KEY, "g", "A-1", "c", b"")


def test_the_home_region_follows_the_country() -> None:
    regions = clean_regions({"br": "br", "*": "eu"}, frozenset({"br", "eu", "home"}))
    assert region_for(regions, "BR", "home") == "br"
    assert region_for(regions, "DE", "home") == "eu"
    assert region_for(regions, None, "home") == "eu"
    assert region_for({"BR": "br"}, "DE", "home") == "home"


@pytest.mark.parametrize("regions", [{"BRA": "br"}, {"BR": "cn"}, {"": "br"}])
def test_a_map_names_countries_and_known_regions(regions: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError):
        clean_regions(regions, frozenset({"br"}))


def test_serials_and_countries_are_kept_clean() -> None:
    assert clean_serial(" A-1 ") == "A-1"
    assert clean_country("br") == "BR"
    assert clean_country("") is None
    for bad in ("", "a b", "x" * 65, "ß"):
        with pytest.raises(InvalidInputError):
            clean_serial(bad)
    with pytest.raises(InvalidInputError):
        clean_country("Brazil")


def test_the_program_in_the_documentation_proves_a_device() -> None:
    page = (Path(__file__).parents[3] / "docs" / "fleet.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found is not None
    program: dict[str, Any] = {}
    exec(found[1], program)
    proof = program["proof"](program["device_key"](KEY, "A-1"), "g", "A-1", "c")
    assert proves(KEY, "g", "A-1", "c", base64.b64decode(proof))
