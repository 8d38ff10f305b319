"""Devices, twins, commands, releases and rollouts: rules without a database. Empty until the device cloud is built."""
