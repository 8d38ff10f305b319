"""The client of a server's API."""
