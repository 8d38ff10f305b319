"""The speaker skill: its handler and its sentences."""
