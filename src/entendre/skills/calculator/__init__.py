"""The calculator skill: its handler and its sentences."""
