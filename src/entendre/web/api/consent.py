"""The consent ledger: what was agreed, by whom, in which wording; saying no is always possible."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from entendre.core.consent import Entry, Purpose, Subject
from entendre.fleet.access import Permission
from entendre.fleet.consent import current
from entendre.markets.market import policy_of
from entendre.ports.households import ConsentLine
from entendre.web.api.call import Call, Reply
from entendre.web.api.households import Language
from entendre.web.api.operation import Operation
from entendre.web.api.patches import person_of
from entendre.web.api.services import needed

Short = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class NewConsent(Struct, forbid_unknown_fields=True):
    """What somebody says to a purpose. `wording`: the version of the text that was shown or said to them."""

    purpose: Purpose
    given: bool
    wording: Short
    language: Language
    channel: Short = "app"


class ConsentEntry(Struct):
    """One line of the ledger."""

    id: str
    purpose: Purpose
    given: bool
    wording: str
    language: str
    channel: str
    at_s: float
    by: str


class Ledger(Struct):
    """What holds now, by purpose, and every line, oldest first. `consent_age`: below it a guardian consents."""

    now: dict[str, bool]
    data: tuple[ConsentEntry, ...]
    consent_age: int


async def _shown(call: Call, subject: Subject, country: str | None) -> Reply:
    consents = needed(call.services.consents)
    entries, never = await consents.ledger(subject), await consents.never(subject)
    holds = current(entries)
    now = {each.value: each in holds and holds[each].given and each not in never for each in Purpose}
    return Reply(Ledger(now, tuple(_entry(each) for each in entries), policy_of(country).consent_age))


def _entry(each: Entry) -> ConsentEntry:
    return ConsentEntry(
        each.id, each.purpose, each.given, each.wording, each.language, each.channel, each.at_s, each.by
    )


def _line(call: Call) -> ConsentLine:
    body = call.body
    return ConsentLine(body.purpose.value, body.wording, body.language, body.given, call.principal.actor, body.channel)


async def _country(call: Call) -> str | None:
    return (await needed(call.services.households).get(call.path["household"])).country


async def _of_household(call: Call) -> Reply:
    return await _shown(call, Subject(household=call.path["household"]), await _country(call))


async def _for_household(call: Call) -> Reply:
    consents, account = needed(call.services.consents), person_of(call.principal)
    return Reply(_entry(await consents.for_household(call.path["household"], _line(call), account=account)))


async def _of_member(call: Call) -> Reply:
    member = await needed(call.services.members).get(call.path["household"], call.path["member"])
    subject = Subject(member.household, None, member.id)
    if member.account is not None:
        subject = Subject(account=member.account)
    return await _shown(call, subject, await _country(call))


async def _for_child(call: Call) -> Reply:
    consents, account = needed(call.services.consents), person_of(call.principal)
    path = call.path
    return Reply(_entry(await consents.for_child(path["household"], path["member"], _line(call), account=account)))


async def _mine(call: Call) -> Reply:
    return await _shown(call, Subject(account=call.principal.id), None)


async def _for_self(call: Call) -> Reply:
    return Reply(_entry(await needed(call.services.consents).for_self(call.principal.id, _line(call))))


_P = Permission
_HOUSE = "/households/{household}/consents"
_CHILD = "/households/{household}/members/{member}/consents"
OPERATIONS = (
    Operation(
        "GET",
        _HOUSE,
        "household_consents",
        "What the household agreed to.",
        "consent",
        _P.HOUSEHOLD_READ,
        _of_household,
        reply=Ledger,
    ),
    Operation(
        "POST",
        _HOUSE,
        "consent_for_household",
        "Agree for the household, as an adult of it, or refuse, as anybody in it.",
        "consent",
        _P.HOUSEHOLD_USE,
        _for_household,
        body=NewConsent,
        reply=ConsentEntry,
        status=201,
        idempotent=True,
    ),
    Operation(
        "GET",
        _CHILD,
        "member_consents",
        "What was agreed for a member.",
        "consent",
        _P.HOUSEHOLD_CONSENT,
        _of_member,
        reply=Ledger,
    ),
    Operation(
        "POST",
        _CHILD,
        "consent_for_child",
        "Agree or refuse for a child, as a guardian.",
        "consent",
        _P.HOUSEHOLD_CONSENT,
        _for_child,
        body=NewConsent,
        reply=ConsentEntry,
        status=201,
        idempotent=True,
    ),
    Operation(
        *("GET", "/me/consents", "my_consents", "What the caller agreed to.", "consent", _P.ACCOUNT_SELF, _mine),
        reply=Ledger,
    ),
    Operation(
        *("POST", "/me/consents", "consent", "Agree or refuse for oneself.", "consent", _P.ACCOUNT_SELF, _for_self),
        body=NewConsent,
        reply=ConsentEntry,
        status=201,
        idempotent=True,
    ),
)
