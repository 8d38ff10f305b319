"""The lists skill: its handler and its sentences."""
