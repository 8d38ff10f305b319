"""Rules of homes and people, held against whatever people do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entendre.core.consent import Entry, Purpose, Subject
from entendre.core.errors import EntendreError, ForbiddenError, InvalidInputError
from entendre.core.roles import Place
from entendre.fleet import codes, consent, households, retention, routines
from entendre.fleet.households import Standing
from entendre.markets.market import markets, policy_of

PLACES: tuple[Place, ...] = ("owner", "adult", "child", "guest")
NOW_S = 1_000_000.0


@given(st.lists(st.tuples(st.sampled_from(["role", "leave"]), st.integers(0, 4), st.sampled_from(PLACES)), max_size=40))
def test_whatever_people_do_an_owner_is_left(steps: list[tuple[str, int, Place]]) -> None:
    members = [Standing("m0", "a0", "owner")] + [Standing(f"m{n}", f"a{n}", "adult") for n in range(1, 5)]
    for what, number, role in steps:
        until_s = NOW_S + 60 if role == "guest" else None
        try:
            if what == "leave":
                households.check_leaving(members, f"m{number}")
                members = [each for each in members if each.member != f"m{number}"]
            else:
                households.check_role(members, f"m{number}", role, until_s, NOW_S)
                members = [replace(each, role=role) if each.member == f"m{number}" else each for each in members]
        except EntendreError:
            pass
        assert any(each.role == "owner" for each in members)


@given(st.lists(st.builds(Standing, st.uuids().map(str), st.sampled_from(["x", "y", None]), st.sampled_from(PLACES))))
def test_an_heir_is_grown_up_and_another(members: list[Standing]) -> None:
    found = households.heir(members, "x")
    grown_up = [each for each in members if each.role in ("owner", "adult") and each.account == "y"]
    assert (found is None) == (not grown_up)
    assert found is None or found in grown_up


@given(st.binary(min_size=codes.ENTROPY_BYTES, max_size=codes.ENTROPY_BYTES), st.booleans())
def test_a_code_is_read_as_people_type_it(entropy: bytes, spoken: bool) -> None:
    code = codes.code_of(entropy, spoken=spoken)
    assert len(code) == (6 if spoken else 8)
    assert codes.normal(codes.written(code)) == code
    assert codes.normal(f" {' '.join(code.lower())}\n") == code
    assert not set(code) & set("OIL" if not spoken else "ABC")
    assert codes.limits_for(code).of_all == (100 if spoken else 10_000) or code.isdigit()


@given(st.text(max_size=80))
def test_whatever_is_typed_is_a_code_or_none(typed: str) -> None:
    found = codes.normal(typed)
    assert found is None or codes.normal(found) == found


@given(st.integers(0, 20), st.integers(0, 60), st.integers(0, 20_000))
def test_guessing_ends_at_each_limit(guesser: int, household: int, everybody: int) -> None:
    for limits in (codes.LIMITS_OF_DIGITS, codes.LIMITS_OF_LETTERS):
        may = codes.may_guess(guesser, household, everybody, limits)
        assert may == (guesser < limits.of_guesser and household < limits.of_household and everybody < limits.of_all)


LINES = st.lists(st.tuples(st.sampled_from(list(Purpose)), st.booleans()), max_size=30)


@given(LINES)
def test_the_newest_line_of_a_purpose_holds(lines: list[tuple[Purpose, bool]]) -> None:
    entries = [
        Entry(str(number), Subject(account="a"), purpose, "v1", "en", given, float(number), "a", "app")
        for number, (purpose, given) in enumerate(lines)
    ]
    for purpose in Purpose:
        said = [given for of, given in lines if of is purpose]
        assert consent.holds(entries, purpose) == bool(said and said[-1])


@given(st.sampled_from(list(Purpose)), st.sampled_from([None, *PLACES]), st.sampled_from([None, *markets()]))
def test_no_is_always_taken_and_yes_only_from_who_may(purpose: Purpose, place: Place | None, country: str) -> None:
    never = policy_of(country).never
    consent.check_for_child(place, purpose, given=False, never=never)
    consent.check_for_self([place] if place else [], purpose, given=False, never=never)
    try:
        consent.check_for_child(place, purpose, given=True, never=never)
    except ForbiddenError:
        pass
    else:
        assert place in ("owner", "adult")
        assert purpose not in (Purpose.MARKETING, Purpose.PERSONAL_TELEMETRY, *never)
    if purpose in consent.OF_HOUSEHOLD:
        consent.check_for_household(place, purpose, given=False, never=never)


@given(
    st.dictionaries(st.sampled_from([*retention.HOUSEHOLD_DAYS, "x"]), st.floats(-10, 5_000) | st.none(), max_size=4)
)
def test_days_stay_within_their_bounds(wanted: dict[str, Any]) -> None:
    try:
        stored = retention.with_changes("{}", wanted, retention.BRAND_DAYS)
    except InvalidInputError:
        return
    for kind, days in retention.household_days(stored).items():
        least = retention.LEAST_HOUSEHOLD_DAYS.get(kind, 0.0)
        assert days is None or least <= days <= retention.MOST_HOUSEHOLD_DAYS[kind]


def test_a_brand_caps_the_history_of_its_households() -> None:
    with pytest.raises(InvalidInputError):
        retention.with_changes("{}", {"history": 30}, {"history": 7.0})
    assert retention.brand_days({"telemetry": 3.0})["telemetry"] == 3.0
    with pytest.raises(InvalidInputError):
        retention.check_brand_rule("changes", 0.1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda of: st.lists(of) | st.dictionaries(st.text(), of),
)


@given(st.dictionaries(st.sampled_from(["type", "say", "time", "days", "trait", "seconds", "text"]), JSON, max_size=4))
def test_odd_routines_are_refused_and_never_crash(document: dict[str, Any]) -> None:
    for check in (routines.checked_trigger, lambda some: routines.checked_actions([some])):
        try:
            check(document)
        except InvalidInputError:
            continue


@pytest.mark.parametrize(
    ("action", "fits"),
    [
        ({"type": "start_timer", "seconds": 60}, True),
        ({"type": "start_timer", "seconds": "60"}, False),
        ({"type": "start_timer", "seconds": True}, False),
        ({"type": "create_alarm", "time": "07:00", "days": ["mon"]}, True),
        ({"type": "control_media", "command": "explode"}, False),
        ({"type": "set_trait", "appliance": "lamp", "trait": "on", "value": True}, True),
        ({"type": "set_trait", "appliance": "lamp", "trait": "nose", "value": True}, False),
    ],
)
def test_actions_have_the_types_of_their_fields(action: dict[str, Any], fits: bool) -> None:
    try:
        routines.checked_actions([action])
    except InvalidInputError:
        assert not fits
    else:
        assert fits
