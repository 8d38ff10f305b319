"""Engines behind the ports: VAD, wake word, recognizers and voices."""
