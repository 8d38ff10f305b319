"""The speaker that talks to a server."""
