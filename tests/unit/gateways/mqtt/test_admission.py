"""Who may open a connection, on a clock that the test moves."""

from __future__ import annotations

from entendre.gateways.mqtt.admission import FORGET_REFUSALS_S, REMEMBERED_ADDRESSES, Admission


class Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def admission(clock: Clock | None = None, **limits: int) -> Admission:
    usual = {"connections": 10, "per_address": 3, "wrong_passwords": 2}
    return Admission(**(usual | limits), clock=clock or Clock())


def test_an_address_gets_its_places_back() -> None:
    door = admission()
    assert [door.enter("a") for _ in range(4)] == [None, None, None, "too_many_from_address"]
    assert door.enter("b") is None
    door.leave("a")
    assert door.enter("a") is None
    assert door.connections == 4


def test_all_together_have_a_limit() -> None:
    door = admission(connections=2)
    assert [door.enter(address) for address in "abc"] == [None, None, "too_many_connections"]


def test_wrong_passwords_are_forgotten_after_a_minute() -> None:
    clock = Clock()
    door = admission(clock)
    door.refused("a")
    assert door.enter("a") is None
    door.refused("a")
    assert door.enter("a") == "too_many_refusals"
    assert door.enter("b") is None
    clock.now_s += FORGET_REFUSALS_S + 1
    assert door.enter("a") is None
    door.refused("a")
    assert door.enter("a") is None, "the count began anew"


def test_what_is_remembered_of_strangers_is_bounded() -> None:
    door = admission(wrong_passwords=1)
    for number in range(REMEMBERED_ADDRESSES + 1):
        door.refused(f"10.0.{number // 256}.{number % 256}")
    assert door.enter("10.0.0.0") is None, "the oldest was forgotten"
    assert door.enter("10.0.0.1") == "too_many_refusals"
