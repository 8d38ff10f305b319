"""The API's operations in groups. Written by scripts/write_client.py."""
