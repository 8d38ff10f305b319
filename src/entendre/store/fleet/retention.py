"""How long a brand keeps a kind of row."""

from __future__ import annotations

from entendre.store.connection import Connection

DAY_S = 86_400.0


def kept_since_s(connection: Connection, region: str, kind: str, now_s: float, days: float) -> list[tuple[str, float]]:
    """Every brand, and from when on it keeps this kind of row; `days` where it has no rule."""
    sql = (
        "SELECT b.id, coalesce(r.days, ?) FROM brands b LEFT JOIN retention_rules r"
        " ON r.region = b.region AND r.brand = b.id AND r.kind = ? WHERE b.region = ? ORDER BY b.id"
    )
    rows = connection.execute(sql, (days, kind, region)).fetchall()
    return [(str(brand), now_s - float(kept) * DAY_S) for brand, kept in rows]
