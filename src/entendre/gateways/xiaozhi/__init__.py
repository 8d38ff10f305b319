"""xiaozhi: speakers with xiaozhi-esp32 firmware, unmodified."""
