"""Flags that every command with settings shares, and the settings they make."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from entendre.config import Settings, load_settings, settings_file
from entendre.core.errors import ConfigurationError

_FLAGS: dict[str, tuple[str, str]] = {
    "--data-dir": ("server.data_dir", "folder of the database and the caches"),
    "--database": ("server.database", "postgresql:// URL (default: a file in the data folder)"),
    "--home": ("home.file", "home file to load"),
    "--language": ("server.language", "language tag, such as en or pt-BR"),
    "--time-zone": ("server.time_zone", "IANA zone of the home"),
    "--models-dir": ("speech.models_dir", "folder of models"),
    "--skills": ("skills.folder", "folder of own skills"),
    "--weather-file": ("skills.weather_file", "JSON file of the weather skill"),
}


def add_settings_flags(parser: argparse.ArgumentParser) -> None:
    """Add `--config`, `--set` and the usual flags; `settings_of` reads them."""
    group = parser.add_argument_group("settings")
    group.add_argument("--config", type=Path, metavar="FILE", help="TOML file (default: entendre.toml if there is one)")
    group.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any setting of docs/configuration.md"
    )
    for flag, (key, text) in _FLAGS.items():
        group.add_argument(flag, dest=key, metavar="VALUE", help=text)


def settings_of(args: argparse.Namespace, **extra: Any) -> Settings:
    """The settings of a command line; `extra` are more flags, as `server_port=1` for `server.port`.

    Raises: ConfigurationError.
    """
    flags: dict[str, Any] = {key: getattr(args, key, None) for key, _ in _FLAGS.values()}
    flags.update({name.replace("_", ".", 1): value for name, value in extra.items()})
    for pair in args.set:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigurationError(f"--set takes KEY=VALUE, not {pair!r}.")
        flags[key] = value
    return load_settings(settings_file(args.config, os.environ, Path.cwd()), os.environ, flags)
