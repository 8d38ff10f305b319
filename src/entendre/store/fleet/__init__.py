"""The tables of the device cloud: brands, devices, their twins, commands, telemetry, releases."""
