"""Entendre: an assistant cloud that its owner runs."""

__version__ = "0.1.0.dev0"
