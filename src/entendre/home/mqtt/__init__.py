"""Appliances that announce themselves over MQTT in Home Assistant's discovery format.

Import `connector` only where the mqtt extra is wanted; `settings` needs nothing.
"""
