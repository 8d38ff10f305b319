"""Home control: what can be said about appliances, rooms and scenes."""
