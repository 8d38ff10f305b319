"""The alarms skill: its handler and its sentences."""
