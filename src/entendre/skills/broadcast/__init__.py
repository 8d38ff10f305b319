"""The broadcast skill: its handler and its sentences."""
