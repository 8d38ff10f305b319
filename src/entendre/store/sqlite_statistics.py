"""What SQLite's planner is told of the tables before they have rows.

Every key begins with the region, which is the same in all rows of a file. Without statistics SQLite takes one value of
a first column for ten rows, and reads the whole region by the primary key instead of using a better index. Source:
sqlite.org/fileformat2.html, 2.6.3 (sqlite_stat1).
"""

from __future__ import annotations

import sqlite3

ROWS = 1_000_000
"""How many rows a table is taken to have."""
ALIKE = 20
"""How many of them are taken to be alike in more than the region."""
REGION = "region"


def assume_statistics(connection: sqlite3.Connection) -> None:
    """Tell the planner, if it was not told the same before; connections that open later go by it."""
    wanted = set(_assumed(connection))
    if set(_told(connection)) == wanted:
        return
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("ANALYZE sqlite_schema")  # makes the table for what follows
    connection.execute("DELETE FROM sqlite_stat1")
    connection.executemany("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", sorted(wanted))
    connection.execute("COMMIT")


def _told(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    made = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").fetchone()
    return connection.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall() if made else []


def _assumed(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """A row for every index. The primary key of a table without rowids goes by the table's name."""
    sql = (
        'SELECT t.name, i.name, i."unique", i.origin FROM sqlite_schema t, pragma_index_list(t.name) i'
        " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.sql LIKE '%WITHOUT ROWID%'"
    )
    found = []
    for table, index, is_unique, origin in connection.execute(sql).fetchall():
        columns = [row[0] for row in connection.execute("SELECT name FROM pragma_index_info(?)", (index,))]
        alike = [ROWS if number == 0 and column == REGION else ALIKE for number, column in enumerate(columns)]
        if is_unique:
            alike[-1] = 1
        name = table if origin == "pk" else index
        found.append((table, name, " ".join(str(each) for each in (ROWS, *alike))))
    return found
