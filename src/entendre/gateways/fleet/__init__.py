"""Devices of the fleet: the topics that they use on the MQTT endpoint."""
