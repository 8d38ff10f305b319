"""Where settings come from: one TOML file, then the environment, then flags; the later wins."""

from __future__ import annotations

import difflib
import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from entendre.config.describe import ENVIRONMENT_PREFIX, describe_settings, kinds
from entendre.config.sections import SECTIONS, ServerSettings, Settings
from entendre.config.values import converted
from entendre.core.errors import ConfigurationError

DEFAULT_FILE = "entendre.toml"
OTHER_VARIABLES = frozenset({"ENTENDRE_CONFIG", "ENTENDRE_KEY", "ENTENDRE_SPEECH_DATA"})
"""Variables with our prefix that are no settings: the file to read, a client's key, the data of tests."""


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
    known = kinds()
    sections: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        if key not in known:
            raise ConfigurationError(f"Unknown setting {key!r}.{_suggestion(key, known)}")
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = converted(key, value, known[key])
    sections.setdefault("server", {}).setdefault("data_dir", ServerSettings().data_dir.expanduser())
    settings = Settings(**{section: SECTIONS[section](**given) for section, given in sections.items()})
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


def _read_file(file: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"The configuration file {file} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The configuration file {file} is not valid TOML: {error}.") from error
    values: dict[str, Any] = {}
    for section, content in document.items():
        if section not in SECTIONS or not isinstance(content, dict):
            raise ConfigurationError(f"Unknown section [{section}] in {file}.{_suggestion(section, SECTIONS)}")
        values.update({f"{section}.{name}": value for name, value in content.items()})
    return values


def _read_environment(environment: Mapping[str, str]) -> dict[str, str]:
    known = {each.variable: each.key for each in describe_settings()}
    prefixes = tuple(f"{ENVIRONMENT_PREFIX}{section.upper()}_" for section in SECTIONS)
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


_LOG_LEVELS = frozenset({"debug", "info", "warning", "error"})
_LARGEST_PORT = 65_535


def _check(settings: Settings) -> None:
    for section in SECTIONS:
        for each in fields(SECTIONS[section]):
            port = getattr(getattr(settings, section), each.name)
            if each.name.split("_")[-1] == "port" and not 0 <= port <= _LARGEST_PORT:
                raise ConfigurationError(f"{section}.{each.name} must be between 0 and {_LARGEST_PORT}, not {port}.")
    if settings.server.log_level not in _LOG_LEVELS:
        raise ConfigurationError(f"server.log_level must be one of {', '.join(sorted(_LOG_LEVELS))}.")
    amounts = {
        "speech.threads": (settings.speech.threads, 0),
        "speech.reply_cache_memory_mb": (settings.speech.reply_cache_memory_mb, 0),
        "speech.reply_cache_disk_mb": (settings.speech.reply_cache_disk_mb, 0),
        "xiaozhi.unbound_per_address": (settings.xiaozhi.unbound_per_address, 1),
        "xiaozhi.token_days": (settings.xiaozhi.token_days, 0),
        "limits.connections": (settings.limits.connections, 1),
        "limits.utterance_s": (settings.limits.utterance_s, 1),
        "limits.inference_queue": (settings.limits.inference_queue, 1),
    }
    for key, (amount, least) in amounts.items():
        if amount < least:
            raise ConfigurationError(f"{key} must be at least {least}, not {amount}.")
