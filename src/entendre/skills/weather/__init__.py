"""The weather skill: its handler and its sentences."""
