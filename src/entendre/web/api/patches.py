"""Bodies that change something: what is absent stays, what is null is cleared."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from entendre.fleet.access import Principal
from entendre.web.api.call import Call
from entendre.web.api.paging import after_of


def given(body: Any) -> dict[str, Any]:
    """The fields that a body names."""
    fields = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return {name: msgspec.to_builtins(value) for name, value in fields if value is not UNSET}


def person_of(who: Principal) -> str | None:
    """The account of a caller who is a person."""
    return who.id if who.kind == "person" else None


def after(call: Call) -> str | None:
    """The id after which a page begins."""
    found = after_of(call.query.after, str)
    return found[0] if found else None
