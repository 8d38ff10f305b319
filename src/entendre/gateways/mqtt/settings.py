"""Limits of the MQTT endpoint, as the composition root gives them."""

from __future__ import annotations

from dataclasses import dataclass

MQTT_PORT = 1883
MQTT_TLS_PORT = 8883


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """What one client may do, and how many there may be.

    `connect_within_s`: time from TCP accept to a complete CONNECT. `packets_per_s` and `packet_burst`: a faster client
    is read no faster than that, and loses nothing. `unread_bytes`: a client that leaves more than this unread is
    dropped. `in_flight`: QoS 1 messages sent and not yet confirmed. `unkept`: messages received and not
    yet kept, after which no more are read. `wrong_passwords`: refusals per address and minute
    after which its connections are closed unread. `keep_alive_s`: what holds for a client that asks for none.
    """

    connections: int = 10_000
    connections_per_address: int = 256
    connect_within_s: float = 10.0
    handshake_s: float = 10.0
    packets_per_s: float = 50.0
    packet_burst: int = 200
    unread_bytes: int = 256 * 1024
    in_flight: int = 16
    unkept: int = 32
    subscriptions: int = 16
    wrong_passwords: int = 20
    keep_alive_s: int = 300
    longest_keep_alive_s: int = 1200
