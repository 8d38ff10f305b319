"""The HTTP API and the talk page."""
