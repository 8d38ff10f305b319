"""Every setting, by section, as frozen dataclasses: the one place that names, explains and defaults them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entendre.core.tags import first_tag


def _setting(default: Any, text: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"text": text, "secret": secret})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens and keeps its data."""

    host: str = _setting("127.0.0.1", "Address to listen on; all but loopback need a key (`entendre keys create`).")
    port: int = _setting(8770, "TCP port of the HTTP API, the talk page and `/v1/realtime`. 0 picks a free one.")
    public_url: str = _setting(
        "", "How devices reach this server, `https://voice.example.org`; empty is by the name or address they used."
    )
    certificate: Path | None = _setting(None, "PEM file with the certificate chain; with it `port` speaks TLS alone.")
    certificate_key: Path | None = _setting(None, "PEM file with that certificate's private key.")
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        "Addresses or networks of proxies whose `X-Forwarded-…` headers are believed; with any, keys are required.",
    )
    data_dir: Path = _setting(Path("~/.local/share/entendre"), "Folder of the database and the caches.")
    database: str = _setting(
        "",
        "Where the data is: `postgresql://user:password@host/name` (extra `postgres`); empty is a file in `data_dir`.",
        secret=True,
    )
    region: str = _setting("home", "Name of the cell that owns the data; part of every row's key.")
    language: str = _setting(
        "en",
        "Language tag of devices that don't say theirs. Two or three, `hi,en`, are told apart for each utterance, the "
        "first one expected.",
    )
    country: str = _setting(
        "", "Country of the home, two letters such as `SG`: dates are said as there (docs/markets.md)."
    )
    time_zone: str | None = _setting(None, "IANA zone of the home; unset takes the home file's, then the machine's.")
    log_level: str = _setting("info", "`debug`, `info`, `warning` or `error`.")


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Who may connect."""

    required: bool = _setting(False, "Ask for a key on loopback too.")


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """The API of brands, devices and people, `/api/v1` (docs/api.md)."""

    requests_per_s: float = _setting(100.0, "Requests a second of one caller, and of one IP address; 0 is no limit.")
    burst: int = _setting(500, "Requests that one of them may make at once.")
    webhooks_to_private: bool = _setting(
        False, "Let webhooks point to this machine, also without TLS; private networks stay refused."
    )
    sign_up: str = _setting("closed", "`open` lets everybody make an account; `closed` only the operator.")


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Devices of makers (docs/fleet.md), and what they are sent (docs/releases.md)."""

    artifact_mb: int = _setting(512, "Largest file of a release, MB.")
    regions: tuple[str, ...] = _setting(
        (), "Other regions and how devices reach them, each `name=https://…`; devices of a country are sent to theirs."
    )
    directory_key: str = _setting(
        "",
        "Key of the directory's hashes, the same in every region; empty makes one for this region alone.",
        secret=True,
    )


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """What hears and speaks."""

    recognizer: str = _setting(
        "default",
        "A name of `entendre models list`, `tcp://host:port` of a Wyoming server, or `https://…/v1` of an "
        "OpenAI-compatible one. `none` runs without ears.",
    )
    recognizer_model: str = _setting("whisper-1", "Model name sent to an OpenAI-compatible recognizer.")
    recognizer_key: str = _setting("", "Bearer key of an OpenAI-compatible recognizer.", secret=True)
    voice: str = _setting("default", "As `recognizer`, for the voice. `none` answers in text only.")
    voice_model: str = _setting("tts-1", "Model name sent to an OpenAI-compatible voice.")
    voice_name: str = _setting("alloy", "Voice name sent to an OpenAI-compatible or Wyoming voice.")
    voice_key: str = _setting("", "Bearer key of an OpenAI-compatible voice.", secret=True)
    vad: str = _setting("default", "Voice activity detector, a name of `entendre models list`.")
    wake_words: tuple[str, ...] = _setting((), "Wake words for streams without one on the device.")
    filler_after_s: float = _setting(
        2.5,
        "How long after the end of speech a turn without an answer yet says (speakers) or shows (talk page) that it is "
        "still being worked on, seconds; 0 is never.",
    )
    threads: int = _setting(0, "Inferences at once; 0 is one per core.")
    models_dir: Path | None = _setting(None, "Folder of models; unset is `models` in the data folder.")
    reply_cache_memory_mb: int = _setting(32, "Synthesised replies kept in memory, MB.")
    reply_cache_disk_mb: int = _setting(256, "Synthesised replies kept on disk, MB; 0 keeps none.")


@dataclass(frozen=True, slots=True)
class HomeSettings:
    """The home and what connects it."""

    file: Path | None = _setting(None, "Home file (docs/home.md); unset is the built-in demo home.")
    mqtt_url: str = _setting(
        "", "Broker with MQTT discovery, `mqtt://user:password@host:1883` or `mqtts://…`; empty is none.", secret=True
    )
    mqtt_discovery_prefix: str = _setting("homeassistant", "Topic prefix of discovery messages.")
    one_answers: bool = _setting(
        True, "Let one speaker answer when several, in known rooms, were woken by the same words."
    )


@dataclass(frozen=True, slots=True)
class WyomingSettings:
    """Wyoming satellites that we dial and Wyoming services that we offer."""

    satellites: tuple[str, ...] = _setting((), "Satellites to dial, each `host:port` or `name@room=host:port`.")
    discover: bool = _setting(False, "Find satellites by zeroconf (extra `wyoming`).")
    service_port: int = _setting(0, "TCP port that serves recognizer, voice, wake word and intents; 0 is off.")
    service_host: str = _setting(
        "127.0.0.1", "Address of that service; all but loopback need `allow_unauthenticated_lan`."
    )
    allow_unauthenticated_lan: bool = _setting(
        False, "Serve Wyoming to everybody who reaches `service_host`: the protocol has no authentication."
    )


@dataclass(frozen=True, slots=True)
class XiaozhiSettings:
    """Speakers with xiaozhi firmware (docs/speakers/xiaozhi.md)."""

    enabled: bool = _setting(True, "Serve them; needs the extra `xiaozhi`, and does nothing without it.")
    wake_words: tuple[str, ...] = _setting(
        (), "Wake words of your devices beside the firmware's own; any other text that they send is taken as typed."
    )
    idle_s: float = _setting(20.0, "Silence after which a conversation is closed so that the device sleeps, seconds.")
    hold_for_rings_s: float = _setting(
        3600.0, "A conversation stays open while something is to ring on its device within this, seconds."
    )
    framing: int = _setting(
        2, "Binary framing that devices are told to use: 1, 2 or 3; only 2 lets the server cancel echo well."
    )
    firmware_dir: Path | None = _setting(None, "Folder of firmware, `<board>/<version>.bin`; unset offers none.")
    unbound_per_address: int = _setting(16, "Devices of one IP address that may wait to be bound at once.")
    token_days: float = _setting(
        0.0, "Life of a device's token, days; 0 is until its successor is used. Devices ask for one at boot only."
    )
    vision_url: str = _setting(
        "", "OpenAI-compatible server that looks at devices' photos, `https://…/v1`; empty is none."
    )
    vision_model: str = _setting("gpt-4o-mini", "Model name sent to that server.")
    vision_key: str = _setting("", "Bearer key of that server.", secret=True)


@dataclass(frozen=True, slots=True)
class DeviceMqttSettings:
    """The MQTT endpoint that devices connect to (docs/mqtt.md); it is no broker of the home."""

    port: int = _setting(0, "TCP port for MQTT without TLS, usually 1883; 0 is off. Passwords are readable there.")
    tls_port: int = _setting(8883, "TCP port for MQTT with TLS; used once there is a certificate. 0 is off.")
    certificate: Path | None = _setting(None, "PEM file with the certificate chain of `tls_port`.")
    certificate_key: Path | None = _setting(None, "PEM file with that certificate's private key.")
    host: str | None = _setting(None, "Address of these ports and of `udp_port`; unset is `server.host`.")
    udp_port: int = _setting(8884, "UDP port for the audio of xiaozhi speakers that connect by MQTT.")
    xiaozhi: bool = _setting(True, "Have xiaozhi speakers connect by MQTT instead of WebSocket while it is on.")


@dataclass(frozen=True, slots=True)
class EspHomeSettings:
    """ESPHome voice devices: Home Assistant Voice, linux-voice-assistant, ESP32 boards (docs/speakers/esphome.md)."""

    devices: tuple[str, ...] = _setting(
        (),
        "Devices to dial, each `host:port` or `name@room=host:port`; a hardware address instead of the host is a "
        "device that dials in (extra `esphome`).",
    )
    noise_keys: tuple[str, ...] = _setting(
        (), "Encryption keys of devices, each `name=key` with a device's name, host or hardware address.", secret=True
    )
    discover: bool = _setting(False, "Find devices by zeroconf; those that offer no voice are left alone.")
    wake_words: tuple[str, ...] = _setting(
        (), "Wake words to activate on devices that listen for them themselves; none leaves theirs as they are."
    )
    chime: bool = _setting(True, "A short sound before announcements.")
    dial_in_port: int = _setting(0, "TCP port for devices that dial in, 6054 in ESPHome; 0 is off.")
    dial_in_host: str | None = _setting(None, "Address of that port; unset is every address.")


@dataclass(frozen=True, slots=True)
class SkillSettings:
    """What it can do beyond the built-in skills."""

    folder: Path | None = _setting(None, "Folder of own skills, loaded beside the built-in ones.")
    weather_file: Path | None = _setting(None, "JSON file that the weather skill reads (docs/skills.md).")
    weather_url: str = _setting(
        "", "Server that answers as Open-Meteo does, `https://api.open-meteo.com` for one; empty is none."
    )
    weather_geocoding_url: str = _setting(
        "https://geocoding-api.open-meteo.com",
        "Server that finds places as Open-Meteo's does; used with `weather_url`.",
    )
    weather_latitude: float = _setting(0.0, "Latitude of home, degrees; used with `weather_url`.")
    weather_longitude: float = _setting(0.0, "Longitude of home, degrees; used with `weather_url`.")


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Bounds that protect everybody from somebody."""

    connections: int = _setting(10_000, "Connections at once, over all gateways.")
    households: int = _setting(2_000, "Households open at once beside the server's own; idle ones are closed.")
    utterance_s: float = _setting(30.0, "Longest utterance, seconds; it is ended there.")
    inference_queue: int = _setting(256, "Inferences that may wait for a core; more are refused as `overloaded`.")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the server, by section."""

    server: ServerSettings = field(default_factory=ServerSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    fleet: FleetSettings = field(default_factory=FleetSettings)
    speech: SpeechSettings = field(default_factory=SpeechSettings)
    home: HomeSettings = field(default_factory=HomeSettings)
    wyoming: WyomingSettings = field(default_factory=WyomingSettings)
    xiaozhi: XiaozhiSettings = field(default_factory=XiaozhiSettings)
    device_mqtt: DeviceMqttSettings = field(default_factory=DeviceMqttSettings)
    esphome: EspHomeSettings = field(default_factory=EspHomeSettings)
    skills: SkillSettings = field(default_factory=SkillSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)

    @property
    def language(self) -> str:
        """The first language of `server.language`."""
        return first_tag(self.server.language)

    @property
    def database_file(self) -> Path:
        """Where the embedded database lives."""
        return self.server.data_dir / "entendre.db"

    @property
    def database_place(self) -> Path | str:
        """Where the database is: a file, or the URL of a server."""
        return self.server.database or self.database_file

    @property
    def artifacts_dir(self) -> Path:
        """Where firmware and software that was uploaded is kept."""
        return self.server.data_dir / "artifacts"

    @property
    def models_dir(self) -> Path:
        """Where models are looked for and put."""
        return self.speech.models_dir or self.server.data_dir / "models"

    @property
    def reply_cache_dir(self) -> Path:
        """Where synthesised replies are kept."""
        return self.server.data_dir / "replies"


SECTIONS: dict[str, Any] = {
    "server": ServerSettings,
    "keys": KeySettings,
    "api": ApiSettings,
    "fleet": FleetSettings,
    "speech": SpeechSettings,
    "home": HomeSettings,
    "wyoming": WyomingSettings,
    "xiaozhi": XiaozhiSettings,
    "device_mqtt": DeviceMqttSettings,
    "esphome": EspHomeSettings,
    "skills": SkillSettings,
    "limits": LimitSettings,
}
