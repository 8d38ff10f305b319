"""A socket shell per protocol."""
