"""Simulated fleets: many devices that enrol, report and update against a real server."""
