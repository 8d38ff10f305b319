"""The reminders skill: its handler and its sentences."""
