"""A device's half of the fleet: enrol, follow the twin, take commands, send telemetry, update. Makers may copy it."""
