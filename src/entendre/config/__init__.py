"""Settings: one TOML file, then the environment, then flags; the later wins. Documented in docs/configuration.md."""

from entendre.config.describe import ENVIRONMENT_PREFIX, SettingDescription, describe_settings, settings_table
from entendre.config.load import DEFAULT_FILE, is_loopback, load_settings, settings_file
from entendre.config.sections import (
    HomeSettings,
    KeySettings,
    LimitSettings,
    ServerSettings,
    Settings,
    SkillSettings,
    SpeechSettings,
    WyomingSettings,
)

__all__ = [
    "DEFAULT_FILE",
    "ENVIRONMENT_PREFIX",
    "HomeSettings",
    "KeySettings",
    "LimitSettings",
    "ServerSettings",
    "SettingDescription",
    "Settings",
    "SkillSettings",
    "SpeechSettings",
    "WyomingSettings",
    "describe_settings",
    "is_loopback",
    "load_settings",
    "settings_file",
    "settings_table",
]
