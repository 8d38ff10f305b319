"""Stations and recordings from addresses, fetched and decoded: `HttpMedia`."""
