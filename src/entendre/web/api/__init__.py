"""The HTTP API below `/api/v1`: operations, who may call them, and how they are described."""
