"""A bounded rate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from entendre.core.allowance import Allowance


def test_a_burst_then_the_rate() -> None:
    allowance = Allowance(10.0, 3, 0.0)
    assert [allowance.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert abs(allowance.wait_s() - 0.1) < 1e-9
    assert not allowance.take(0.05)
    assert allowance.take(0.11)
    assert [allowance.take(60.0) for _ in range(4)] == [True, True, True, False], "a pause saves up one burst, no more"


@given(st.lists(st.floats(0.0, 0.2), max_size=200))
def test_never_more_than_burst_and_rate(waits: list[float]) -> None:
    allowance, now_s, taken = Allowance(20.0, 5, 0.0), 0.0, 0
    for wait_s in waits:
        now_s += wait_s
        taken += allowance.take(now_s)
        assert taken <= 5 + 20.0 * now_s + 1e-6
