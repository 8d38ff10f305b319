"""Durable timers, alarms and reminders."""

from entendre.jobs.ring import Ring
from entendre.jobs.scheduler import Scheduler

__all__ = ["Ring", "Scheduler"]
