"""Download URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entendre.cloud.downloads import LIFE_S, MAX_TOKEN_CHARS, SignedDownloads

BRAND, DEVICE = "01a22dda-e988-771a-9a38-bb309fa18939", "01a22dda-e978-761c-91e5-e256f06ffe80"
SHA = "ab" * 32


class Hands:
    now_s = 1_000.5

    def wall(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s


def test_a_token_is_for_one_file_of_one_device_for_a_while() -> None:
    clock = Hands()
    downloads = SignedDownloads(b"k" * 32, clock)
    token, expires_at_s = downloads.token(BRAND, DEVICE, SHA)
    assert len(token) <= MAX_TOKEN_CHARS
    found = downloads.read(token)
    assert found is not None
    assert (found.brand, found.device, found.artifact, found.expires_at_s) == (BRAND, DEVICE, SHA, expires_at_s)
    clock.now_s += LIFE_S
    assert downloads.read(token) is None


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: "A" + t[1:], lambda t: t + ".", lambda t: t * 9])
def test_another_token_is_none(change: object) -> None:
    downloads = SignedDownloads(b"k" * 32, Hands())
    token, _ = downloads.token(BRAND, DEVICE, SHA)
    assert downloads.read(change(token)) is None  # type: ignore[operator]
    assert SignedDownloads(b"l" * 32, Hands()).read(token) is None


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert SignedDownloads(b"k" * 32, Hands()).read(text) is None
