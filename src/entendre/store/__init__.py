"""The database: SQLite behind the store port, its migrations, and API keys."""

from entendre.store.database import Database
from entendre.store.keys import ApiKeys
from entendre.store.sqlite import SqliteStore

__all__ = ["ApiKeys", "Database", "SqliteStore"]
