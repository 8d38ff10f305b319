"""SQLite storage and its migrations."""
