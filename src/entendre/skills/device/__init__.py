"""The speaker as a device: its screen, light, camera and battery."""
