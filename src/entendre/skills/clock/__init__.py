"""The clock skill: its handler and its sentences."""
