"""What devices say of themselves is taken only in a form that can be kept, compared and shown."""

import pytest

from entendre.core.device import MAX_LABEL_CHARS, hardware_of, label_of, opaque_of


@pytest.mark.parametrize("text", ["AA:BB:CC:DD:EE:FF", "aa-bb-cc-dd-ee-ff", "aabbccddeeff", " aa_bb_cc_dd_ee_ff "])
def test_a_mac_address_has_one_form(text: str) -> None:
    assert hardware_of(text) == "aa:bb:cc:dd:ee:ff"


@pytest.mark.parametrize(
    "text", ["", "aa:bb:cc:dd:ee", "gg:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff:00", "aa:bb:cc:dd:ee:ff\n0"]
)
def test_what_is_no_mac_address_is_none(text: str) -> None:
    assert hardware_of(text) is None


def test_opaque_ids_are_bounded_and_plain() -> None:
    assert opaque_of(" 7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11 ") == "7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11"
    assert opaque_of("") is None
    assert opaque_of("x" * 65) is None
    assert opaque_of("a b") is None
    assert opaque_of("a\x00") is None


def test_labels_can_be_shown() -> None:
    assert label_of(" esp-box-3\x1b[31m ") == "esp-box-3[31m"
    assert len(label_of("x" * 1_000)) == MAX_LABEL_CHARS
