"""Durable timers, alarms and reminders."""
