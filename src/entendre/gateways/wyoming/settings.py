"""Settings of the Wyoming gateway, as the composition root gives them."""

from __future__ import annotations

from dataclasses import dataclass

from entendre.gateways.addresses import parse_named_address

SATELLITE_PORT = 10_700
SERVICE_PORT = 10_300


@dataclass(frozen=True, slots=True)
class SatelliteSettings:
    """One satellite to dial. `name` identifies it for good; unset, its address does. `room` overrides its own area.

    `cancels_echo`: its microphone does not hear its speaker. `volume`: percent, applied to what it is sent.
    """

    host: str
    port: int = SATELLITE_PORT
    name: str | None = None
    room: str | None = None
    language: str = "en"
    wake_words: tuple[str, ...] = ()
    cancels_echo: bool = False
    volume: int = 100

    @property
    def device(self) -> str:
        """The device id: stable while the name, or without one the address, is."""
        return f"wyoming-{self.name or f'{self.host}-{self.port}'}"


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """How satellites are dialled and watched. All in seconds.

    `first_retry_s` doubles up to `longest_retry_s`; a satellite of another server is dialled each `busy_retry_s`.
    """

    dial_s: float = 5.0
    describe_s: float = 10.0
    first_retry_s: float = 1.0
    longest_retry_s: float = 60.0
    busy_retry_s: float = 30.0
    stable_s: float = 30.0
    ping_every_s: float = 2.0
    pong_within_s: float = 5.0
    describe_every_s: float = 30.0
    write_within_s: float = 5.0
    reply_lead_s: float = 0.3
    discover: bool = False
    language: str = "en"
    wake_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What the service allows. Wyoming has no authentication, so other binds than loopback must be asked for."""

    language: str = "en"
    allow_unauthenticated_lan: bool = False
    connections: int = 32
    utterance_s: float = 60.0
    text_characters: int = 4_000
    idle_s: float = 300.0
    write_within_s: float = 20.0


def parse_satellite(
    text: str, *, language: str = "en", wake_words: tuple[str, ...] = (), cancels_echo: bool = False
) -> SatelliteSettings:
    """`host`, `host:port`, `[v6]:port`, each with `name=`, `@room=` or `name@room=` before it.

    Raises: ConfigurationError.
    """
    address = parse_named_address(text, port=SATELLITE_PORT, kind="A satellite")
    return SatelliteSettings(
        host=address.host,
        port=address.port,
        name=address.name,
        room=address.room,
        language=language,
        wake_words=wake_words,
        cancels_echo=cancels_echo,
    )
