"""The database: SQLite behind the store port, its migrations, API keys and devices."""

from entendre.store.database import Database, open_database
from entendre.store.devices import Devices
from entendre.store.keys import ApiKeys
from entendre.store.sqlite import SqliteStore

__all__ = ["ApiKeys", "Database", "Devices", "SqliteStore", "open_database"]
