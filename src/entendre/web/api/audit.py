"""The audit log: of a brand, of a household, and of everything for whoever runs the server."""

from __future__ import annotations

from entendre.fleet.access import Permission
from entendre.ports.audit import AuditEntry, AuditState
from entendre.web.api.call import Call, Reply
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed


async def _entries(call: Call) -> Reply:
    before = after_of(call.query.after, int)
    rows = await needed(call.services.audit).entries(
        brand=call.path.get("brand"),
        household=call.path.get("household"),
        before=before[0] if before else None,
        limit=call.query.limit + 1,
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.seq))


async def _state(call: Call) -> Reply:
    return Reply(await needed(call.services.audit).state())


_P = Permission
OPERATIONS = (
    Operation(
        *("GET", "/brands/{brand}/audit", "list_brand_audit", "What was done in a brand, newest first.", "audit"),
        permission=_P.BRAND_AUDIT,
        handler=_entries,
        query=PageQuery,
        reply=Page[AuditEntry],
    ),
    Operation(
        *("GET", "/households/{household}/audit", "list_household_audit", "What was done in a household.", "audit"),
        permission=_P.HOUSEHOLD_AUDIT,
        handler=_entries,
        query=PageQuery,
        reply=Page[AuditEntry],
    ),
    Operation(
        *("GET", "/audit", "list_audit", "What was done, newest first.", "audit", _P.REGION_READ, _entries),
        query=PageQuery,
        reply=Page[AuditEntry],
    ),
    Operation(
        *("GET", "/audit/verify", "verify_audit", "Whether the log is whole.", "audit", _P.REGION_READ, _state),
        reply=AuditState,
    ),
)
