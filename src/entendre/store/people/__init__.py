"""People, their homes, what they agreed to, and how all of it leaves again."""
