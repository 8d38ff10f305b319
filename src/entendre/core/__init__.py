"""Ids, audio formats, actions, plans, errors and the clock: pure data that every room shares."""
