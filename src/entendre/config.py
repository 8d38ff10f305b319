"""Settings: one TOML file, then the environment, then flags; the later wins. Documented in docs/configuration.md."""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from entendre.core.errors import ConfigurationError

DEFAULT_FILE = "entendre.toml"
ENVIRONMENT_PREFIX = "ENTENDRE_"
OTHER_VARIABLES = frozenset({"ENTENDRE_CONFIG", "ENTENDRE_KEY", "ENTENDRE_SPEECH_DATA"})
"""Variables with our prefix that are no settings: the file to read, a client's key, the data of tests."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def _setting(default: Any, text: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"text": text, "secret": secret})


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the server listens and keeps its data."""

    host: str = _setting("127.0.0.1", "Address to listen on; all but loopback need a key (`entendre keys create`).")
    port: int = _setting(8770, "TCP port of the HTTP API, the talk page and `/v1/realtime`. 0 picks a free one.")
    data_dir: Path = _setting(Path("~/.local/share/entendre"), "Folder of the database and the caches.")
    region: str = _setting("home", "Name of the cell that owns the data; part of every row's key.")
    language: str = _setting("en", "Language tag of devices that don't say theirs.")
    time_zone: str | None = _setting(None, "IANA zone of the home; unset takes the home file's, then the machine's.")
    log_level: str = _setting("info", "`debug`, `info`, `warning` or `error`.")


@dataclass(frozen=True, slots=True)
class KeySettings:
    """Who may connect."""

    required: bool = _setting(False, "Ask for a key on loopback too.")


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
    utterance_s: float = _setting(30.0, "Longest utterance, seconds; it is ended there.")
    inference_queue: int = _setting(256, "Inferences that may wait for a core; more are refused as `overloaded`.")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the server, by section."""

    server: ServerSettings = field(default_factory=ServerSettings)
    keys: KeySettings = field(default_factory=KeySettings)
    speech: SpeechSettings = field(default_factory=SpeechSettings)
    home: HomeSettings = field(default_factory=HomeSettings)
    wyoming: WyomingSettings = field(default_factory=WyomingSettings)
    skills: SkillSettings = field(default_factory=SkillSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)

    @property
    def database_file(self) -> Path:
        """Where the embedded database lives."""
        return self.server.data_dir / "entendre.db"

    @property
    def models_dir(self) -> Path:
        """Where models are looked for and put."""
        return self.speech.models_dir or self.server.data_dir / "models"

    @property
    def reply_cache_dir(self) -> Path:
        """Where synthesised replies are kept."""
        return self.server.data_dir / "replies"


@dataclass(frozen=True, slots=True)
class SettingDescription:
    """One setting as documented."""

    key: str
    variable: str
    kind: str
    default: Any
    text: str
    secret: bool


def load_settings(
    file: Path | None = None, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
) -> Settings:
    """The settings of a file, an environment and flags (`{"server.port": 80}`); the later wins.

    Raises: ConfigurationError for a missing file, an unknown key (with the nearest known one) or a wrong value.
    """
    values: dict[str, Any] = {}
    if file is not None:
        values.update(_read_file(file))
    values.update(_read_environment(environment or {}))
    values.update({key: value for key, value in (flags or {}).items() if value is not None})
    kinds = _kinds()
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        if key not in kinds:
            raise ConfigurationError(f"Unknown setting {key!r}.{_suggestion(key, kinds)}")
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = _converted(key, value, kinds[key])
    sections.setdefault("server", {}).setdefault("data_dir", ServerSettings().data_dir.expanduser())
    settings = Settings(**{section: _SECTIONS[section](**given) for section, given in sections.items()})
    _check(settings)
    return settings


def settings_file(given: Path | None, environment: Mapping[str, str], folder: Path) -> Path | None:
    """The file to read: the one given, `ENTENDRE_CONFIG`'s, or `entendre.toml` in a folder if there is one."""
    if given is not None:
        return given
    if named := environment.get("ENTENDRE_CONFIG"):
        return Path(named).expanduser()
    usual = folder / DEFAULT_FILE
    return usual if usual.is_file() else None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def describe_settings() -> list[SettingDescription]:
    """Every setting in the order of the file, for the documentation and `doctor`."""
    return [
        SettingDescription(
            key=f"{section}.{each.name}",
            variable=f"{ENVIRONMENT_PREFIX}{section}_{each.name}".upper(),
            kind=_kind_name(_kinds()[f"{section}.{each.name}"]),
            default=each.default,
            text=each.metadata["text"],
            secret=each.metadata["secret"],
        )
        for section, kind in _SECTIONS.items()
        for each in fields(kind)
    ]


def settings_table() -> str:
    """The reference table of docs/configuration.md, in Markdown."""
    lines = ["| setting | environment | type | default | meaning |", "|---|---|---|---|---|"]
    lines += [
        f"| `{each.key}` | `{each.variable}` | {each.kind} | {_shown_default(each.default)} | {each.text} |"
        for each in describe_settings()
    ]
    return "\n".join(lines) + "\n"


_SECTIONS: dict[str, Any] = {
    "server": ServerSettings,
    "keys": KeySettings,
    "speech": SpeechSettings,
    "home": HomeSettings,
    "wyoming": WyomingSettings,
    "skills": SkillSettings,
    "limits": LimitSettings,
}


def _kinds() -> dict[str, Any]:
    return {
        f"{section}.{name}": hint for section, kind in _SECTIONS.items() for name, hint in get_type_hints(kind).items()
    }


def _read_file(file: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The configuration file {file} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The configuration file {file} is not valid TOML: {error}.") from error
    values: dict[str, Any] = {}
    for section, content in document.items():
        if section not in _SECTIONS or not isinstance(content, dict):
            raise ConfigurationError(f"Unknown section [{section}] in {file}.{_suggestion(section, _SECTIONS)}")
        values.update({f"{section}.{name}": value for name, value in content.items()})
    return values


def _read_environment(environment: Mapping[str, str]) -> dict[str, str]:
    known = {each.variable: each.key for each in describe_settings()}
    prefixes = tuple(f"{ENVIRONMENT_PREFIX}{section.upper()}_" for section in _SECTIONS)
    values: dict[str, str] = {}
    for variable, value in environment.items():
        if variable in known:
            values[known[variable]] = value
        elif variable.startswith(prefixes) and variable not in OTHER_VARIABLES:
            raise ConfigurationError(f"Unknown environment variable {variable}.{_suggestion(variable, known)}")
    return values


def _suggestion(word: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    if not near and "." in word:
        by_name = {key.partition(".")[2]: key for key in known}
        near = [by_name[name] for name in difflib.get_close_matches(word.partition(".")[2], list(by_name), n=1)]
    return f" Did you mean {near[0]!r}?" if near else ""


def _converted(key: str, value: Any, kind: Any) -> Any:
    optional, inner = _without_none(kind)
    if optional and value in ("", "none"):
        return None
    try:
        return _CONVERTERS[get_origin(inner) or inner](value)
    except (ValueError, TypeError) as error:
        shown = "the given value" if key.endswith("_key") or key == "home.mqtt_url" else repr(value)
        raise ConfigurationError(f"{key} must be {_kind_name(kind)}, not {shown}.") from error


def _without_none(kind: Any) -> tuple[bool, Any]:
    if get_origin(kind) in (Union, UnionType):
        inner = [each for each in get_args(kind) if each is not NoneType]
        return True, inner[0]
    return False, kind


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError("no truth value")


def _to_int(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError("no whole number")
    return int(value)


def _to_float(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("no number")
    return float(value)


def _to_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


def _to_path(value: Any) -> Path:
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("no path")
    return Path(value).expanduser()


def _to_texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise ValueError("no list of texts")
    return tuple(value)


_CONVERTERS: dict[Any, Any] = {
    bool: _to_bool,
    int: _to_int,
    float: _to_float,
    str: _to_text,
    Path: _to_path,
    tuple: _to_texts,
}

_KIND_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
    tuple: "a list of texts",
}


def _kind_name(kind: Any) -> str:
    inner = _without_none(kind)[1]
    return _KIND_NAMES[get_origin(inner) or inner]


def _shown_default(value: Any) -> str:
    if value is None or value == () or value == "":
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


_LOG_LEVELS = frozenset({"debug", "info", "warning", "error"})
_LARGEST_PORT = 65_535


def _check(settings: Settings) -> None:
    for key, port in (("server.port", settings.server.port), ("wyoming.service_port", settings.wyoming.service_port)):
        if not 0 <= port <= _LARGEST_PORT:
            raise ConfigurationError(f"{key} must be between 0 and {_LARGEST_PORT}, not {port}.")
    if settings.server.log_level not in _LOG_LEVELS:
        raise ConfigurationError(f"server.log_level must be one of {', '.join(sorted(_LOG_LEVELS))}.")
    amounts = {
        "speech.threads": (settings.speech.threads, 0),
        "speech.reply_cache_memory_mb": (settings.speech.reply_cache_memory_mb, 0),
        "speech.reply_cache_disk_mb": (settings.speech.reply_cache_disk_mb, 0),
        "limits.connections": (settings.limits.connections, 1),
        "limits.utterance_s": (settings.limits.utterance_s, 1),
        "limits.inference_queue": (settings.limits.inference_queue, 1),
    }
    for key, (amount, least) in amounts.items():
        if amount < least:
            raise ConfigurationError(f"{key} must be at least {least}, not {amount}.")
