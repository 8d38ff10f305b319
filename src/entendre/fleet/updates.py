"""One device in a rollout: from waiting for its offer to what it reports to run in the end.

The device's own report decides. It has succeeded when it says that it runs the release, whatever came before; when it
later says that it runs an older version, it went back, which is a failure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal

from entendre.fleet.versions import is_newer, is_same

MAX_DETAIL_CHARS = 500


class DeviceState(StrEnum):
    """Where a device stands in a rollout."""

    WAITING = "waiting"
    OFFERED = "offered"
    DOWNLOADING = "downloading"
    INSTALLING = "installing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


UNDER_WAY = frozenset({DeviceState.OFFERED, DeviceState.DOWNLOADING, DeviceState.INSTALLING})
FAILED = frozenset({DeviceState.FAILED, DeviceState.TIMED_OUT})
_ORDER = (DeviceState.OFFERED, DeviceState.DOWNLOADING, DeviceState.INSTALLING)

Said = Literal["downloading", "installing", "failed"]
"""What a device says of its update; that it succeeded is said by the version that it runs."""


@dataclass(frozen=True, slots=True)
class Update:
    """A device's place. `attempt`: offers made; `failures`: failed attempts since it was first or again let in."""

    state: DeviceState = DeviceState.WAITING
    attempt: int = 0
    failures: int = 0
    detail: str | None = None

    @property
    def struck(self) -> bool:
        """Whether its last attempt failed and it may have another."""
        return self.failures > 0 and (self.state in UNDER_WAY or self.state == DeviceState.WAITING)


def offered(update: Update) -> Update:
    """After an offer is made to a device that waits."""
    return replace(update, state=DeviceState.OFFERED, attempt=update.attempt + 1, detail=None)


def recalled(update: Update) -> Update:
    """After its offer is taken back; a device that has begun goes on."""
    return replace(update, state=DeviceState.WAITING) if update.state == DeviceState.OFFERED else update


def said(update: Update, what: Said, attempt: int, detail: str | None, max_attempts: int) -> Update:
    """After a device tells how its update goes. What belongs to another attempt, or goes back, changes nothing."""
    if update.state not in UNDER_WAY or attempt != update.attempt:
        return update
    if what == "failed":
        return _failed(update, DeviceState.FAILED, detail, max_attempts)
    wanted = DeviceState(what)
    if _ORDER.index(wanted) <= _ORDER.index(update.state):
        return update
    return replace(update, state=wanted, detail=detail)


def timed_out(update: Update, max_attempts: int) -> Update:
    """After a device took too long."""
    if update.state not in UNDER_WAY:
        return update
    return _failed(update, DeviceState.TIMED_OUT, f"no end after {update.state.value}", max_attempts)


def runs(update: Update, version: str, number: str) -> Update:
    """After a device says which version it runs. `number`: the release's."""
    if is_same(version, number):
        return replace(update, state=DeviceState.SUCCEEDED, detail=None)
    if update.state == DeviceState.SUCCEEDED and is_newer(number, version):
        return replace(update, state=DeviceState.FAILED, failures=update.failures + 1, detail=f"went back to {version}")
    return update


def unfit(version: str, number: str, minimum: str) -> str | None:
    """Why a device that runs `version` gets no offer of a release at all; None if it may."""
    if is_newer(version, number):
        return f"runs {version}, which is newer"
    if minimum and is_newer(minimum, version):
        return f"runs {version}, and needs {minimum} first"
    return None


def let_in_again(update: Update) -> Update:
    """After somebody wants a failed device to be tried again."""
    if update.state not in FAILED:
        return update
    return replace(update, state=DeviceState.WAITING, failures=0, detail=None)


def cancelled(update: Update, detail: str) -> Update:
    """After the rollout no longer wants it; a device that has begun goes on."""
    if update.state in (DeviceState.WAITING, DeviceState.OFFERED):
        return replace(update, state=DeviceState.CANCELLED, detail=detail)
    return update


def _failed(update: Update, state: DeviceState, detail: str | None, max_attempts: int) -> Update:
    failures = update.failures + 1
    return replace(
        update, state=state if failures >= max_attempts else DeviceState.WAITING, failures=failures, detail=detail
    )
