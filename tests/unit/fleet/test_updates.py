"""A device in a rollout."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entendre.fleet.updates import (
    DeviceState,
    Update,
    cancelled,
    let_in_again,
    offered,
    recalled,
    runs,
    said,
    timed_out,
    unfit,
)

S = DeviceState


def test_the_way_of_an_update() -> None:
    update = offered(Update())
    assert (update.state, update.attempt) == (S.OFFERED, 1)
    update = said(update, "downloading", 1, "3 of 9", 1)
    update = said(update, "installing", 1, None, 1)
    assert said(update, "downloading", 1, None, 1) == update, "reports may come in the wrong order"
    update = runs(update, "1.0", "2.0.0")
    assert update.state == S.INSTALLING, "a device that has not restarted runs the old version still"
    assert runs(update, "v2.0", "2.0.0").state == S.SUCCEEDED


def test_only_what_it_runs_is_success() -> None:
    installing = said(offered(Update()), "installing", 1, None, 1)
    assert runs(installing, "2.0.0-rc.1", "2.0.0").state == S.INSTALLING
    assert runs(installing, "2.0.1", "2.0.0").state == S.INSTALLING


@pytest.mark.parametrize("state", list(S))
def test_a_device_that_runs_it_has_succeeded_whatever_came_before(state: DeviceState) -> None:
    assert runs(Update(state), "2.0.0", "2.0.0").state == S.SUCCEEDED


def test_going_back_is_a_failure() -> None:
    back = runs(Update(S.SUCCEEDED), "1.9", "2.0.0")
    assert (back.state, back.detail) == (S.FAILED, "went back to 1.9")
    assert runs(Update(S.SUCCEEDED), "2.1", "2.0.0").state == S.SUCCEEDED
    assert runs(Update(S.SUCCEEDED), "unknown", "2.0.0").state == S.SUCCEEDED


def test_attempts() -> None:
    once = said(offered(Update()), "failed", 1, "bad block", 2)
    assert (once.state, once.failures, once.struck, once.detail) == (S.WAITING, 1, True, "bad block")
    twice = timed_out(offered(once), 2)
    assert (twice.state, twice.failures, twice.struck) == (S.TIMED_OUT, 2, False)
    assert said(twice, "failed", 2, None, 2) == twice
    again = let_in_again(twice)
    assert (again.state, again.failures, again.attempt) == (S.WAITING, 0, 2)
    assert said(offered(again), "failed", 2, None, 2).state == S.OFFERED, "a report of an attempt before"


def test_what_has_begun_goes_on() -> None:
    downloading = Update(S.DOWNLOADING, 1)
    assert recalled(downloading) == downloading == cancelled(downloading, "aborted")
    assert recalled(offered(Update())).state == S.WAITING
    assert cancelled(offered(Update()), "aborted").state == S.CANCELLED
    assert let_in_again(downloading) == downloading
    assert timed_out(replace(downloading, state=S.CANCELLED), 1).state == S.CANCELLED


def test_devices_that_get_no_offer() -> None:
    assert unfit("1.9", "2.0.0", "") is None
    assert unfit("", "2.0.0", "1.5") is None
    assert unfit("2.1", "2.0.0", "") == "runs 2.1, which is newer"
    assert unfit("1.4", "2.0.0", "1.5") == "runs 1.4, and needs 1.5 first"
