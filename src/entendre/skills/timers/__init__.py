"""The timers skill: its handler and its sentences."""
