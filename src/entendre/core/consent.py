"""Consent as data: what for, whose, and one line of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Purpose(StrEnum):
    """What is done only with consent."""

    HISTORY = "history"
    SPEAKER_IDENTIFICATION = "speaker_identification"
    PERSONAL_TELEMETRY = "personal_telemetry"
    MARKETING = "marketing"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose consent it is: a household's, a person's, or that of a member without an account (`member`)."""

    household: str | None = None
    account: str | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger. `wording`: version of the text that was shown or said, in `language`."""

    id: str
    subject: Subject
    purpose: Purpose
    wording: str
    language: str
    given: bool
    at_s: float
    by: str
    channel: str
