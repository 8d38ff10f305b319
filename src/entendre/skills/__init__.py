"""What the assistant can do; each skill is a handler with its sentences."""
