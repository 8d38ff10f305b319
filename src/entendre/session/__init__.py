"""The asyncio runner: ports and the turn machine."""
