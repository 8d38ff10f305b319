"""The about skill: its handler and its sentences."""
