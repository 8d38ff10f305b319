"""What a country asks for, as the program's defaults: pointers that a lawyer checks before anyone relies on them.

A country that is not here gets the strictest of each.
"""

from __future__ import annotations

from dataclasses import dataclass

from entendre.core.consent import Purpose

_P = Purpose


@dataclass(frozen=True, slots=True)
class Policy:
    """`consent_age`: below it a guardian consents. `answer_days`: for an export or an erasure that is asked for.

    `never`: what is not done there at all, whatever anybody consents to.
    """

    consent_age: int = 18
    answer_days: int = 15
    breach_hours: int = 72
    never: frozenset[Purpose] = frozenset()


STRICTEST = Policy()
POLICIES: dict[str, Policy] = {
    "CN": Policy(consent_age=14),
    "SG": Policy(consent_age=13),
    "MY": Policy(),
    "PH": Policy(),
    "IN": Policy(),
    "TH": Policy(),
    "RU": Policy(never=frozenset({_P.SPEAKER_IDENTIFICATION})),
    "TR": Policy(),
    "BR": Policy(consent_age=16),
    "MX": Policy(),
}


def policy_of(country: str | None) -> Policy:
    """The policy of an ISO 3166 country."""
    return POLICIES.get((country or "").upper(), STRICTEST)
