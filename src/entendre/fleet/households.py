"""Homes and the people in them: who may be what, who may leave, and who is owner after somebody went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from entendre.core.errors import ConflictError, ForbiddenError, InvalidInputError
from entendre.core.roles import Place

MAX_NAME_CHARS = 100
MAX_MEMBERS = 50
MAX_ROOMS = 100
MAX_ROOM_NAMES = 8
MAX_HOUSEHOLDS_OF_ACCOUNT = 20
MAX_DEVICES = 500
MAX_GUEST_S = 366 * 86_400.0
"""Longest stay of a guest; after it they are invited again."""
GROWN_UP: frozenset[Place] = frozenset({"owner", "adult"})


@dataclass(frozen=True, slots=True)
class Standing:
    """A member as the rules see one. Only a child may be without an account: a profile that others look after."""

    member: str
    account: str | None
    role: Place
    joined_at_s: float = 0.0
    expires_at_s: float | None = None


def place_now(role: Place, expires_at_s: float | None, now_s: float) -> Place | None:
    """What a member is now; None for a guest whose stay is over."""
    return None if expires_at_s is not None and expires_at_s <= now_s else role


def check_invitation(role: Place, until_s: float | None, now_s: float) -> None:
    """A guest's stay has an end, nobody else's has. Raises: InvalidInputError."""
    if role != "guest":
        if until_s is not None:
            raise InvalidInputError("Only a guest's stay has an end.")
        return
    if until_s is None or not now_s < until_s <= now_s + MAX_GUEST_S:
        raise InvalidInputError("A guest's stay ends within a year: say when (`until_s`).")


def check_inviter(inviter: Place | None, role: Place) -> None:
    """Owners invite anybody. `inviter` None: whoever runs the server. Raises: ForbiddenError."""
    if inviter is not None and inviter != "owner":
        raise ForbiddenError(f"Only an owner invites {'an owner' if role == 'owner' else 'somebody'}.")


def check_joining(members: Sequence[Standing], account: str) -> None:
    """Whether a person may come in. Raises: ConflictError, InvalidInputError."""
    if any(each.account == account for each in members):
        raise ConflictError("You are a member already.")
    check_room_for_one(members)


def check_room_for_one(members: Sequence[Standing]) -> None:
    """Raises: InvalidInputError when the household is full."""
    if len(members) >= MAX_MEMBERS:
        raise InvalidInputError(f"A household has at most {MAX_MEMBERS} members.")


def check_role(members: Sequence[Standing], member: str, role: Place, until_s: float | None, now_s: float) -> None:
    """Whether a member may become something else. Raises: ConflictError, InvalidInputError."""
    check_invitation(role, until_s, now_s)
    found = standing_of(members, member)
    if found.account is None and role != "child":
        raise InvalidInputError("A member without an account is a child's profile and stays one.")
    if role != "owner":
        _check_other_owner(members, found)


def check_leaving(members: Sequence[Standing], member: str) -> None:
    """The last owner stays: they name another, or erase the household. Raises: ConflictError."""
    _check_other_owner(members, standing_of(members, member))


def heir(members: Iterable[Standing], leaving_account: str) -> Standing | None:
    """Who becomes owner when the only owner's account is erased: who is an adult there the longest; None if none is."""
    adults = [each for each in members if each.role in GROWN_UP and each.account not in (None, leaving_account)]
    return min(adults, key=lambda each: (each.role != "owner", each.joined_at_s, each.member), default=None)


def guardians(members: Iterable[Standing]) -> frozenset[str]:
    """The accounts that speak for the household's children."""
    return frozenset(each.account for each in members if each.role in GROWN_UP and each.account is not None)


def standing_of(members: Iterable[Standing], member: str) -> Standing:
    """The member of an id. Raises: InvalidInputError."""
    found = next((each for each in members if each.member == member), None)
    if found is None:
        raise InvalidInputError("There is no such member.")
    return found


def clean_name(name: str, what: str = "A name") -> str:
    """A name as it is kept. Raises: InvalidInputError."""
    clean = name.strip()
    if not clean or len(clean) > MAX_NAME_CHARS or not clean.isprintable():
        raise InvalidInputError(f"{what} has 1 to {MAX_NAME_CHARS} printable characters.")
    return clean


def _check_other_owner(members: Sequence[Standing], found: Standing) -> None:
    if found.role == "owner" and sum(each.role == "owner" for each in members) == 1:
        raise ConflictError("This is the only owner. Make somebody else owner first, or erase the household.")
