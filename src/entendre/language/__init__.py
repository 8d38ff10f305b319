"""Sentences to understanding; numbers, times and durations; reply text. Pure."""
