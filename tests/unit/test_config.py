"""Settings: where they come from, which one wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from entendre.config import Settings, describe_settings, is_loopback, load_settings, settings_file
from entendre.core.errors import ConfigurationError


def test_defaults_listen_on_loopback_only() -> None:
    settings = load_settings()
    assert is_loopback(settings.server.host)
    assert settings.server.data_dir.is_absolute()
    assert settings.database_file.parent == settings.server.data_dir
    assert settings.models_dir == settings.server.data_dir / "models"


def test_flags_win_over_environment_and_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "entendre.toml"
    file.write_text('[server]\nport = 1\nlanguage = "pt-BR"\nhost = "::1"\n')
    environment = {"ENTENDRE_SERVER_PORT": "2", "ENTENDRE_SERVER_LANGUAGE": "hi"}
    settings = load_settings(file, environment, {"server.port": "3", "server.host": None})
    assert (settings.server.port, settings.server.language, settings.server.host) == (3, "hi", "::1")


def test_every_setting_takes_a_text_from_the_environment() -> None:
    texts = {"a whole number": "7", "a number": "1.5", "true or false": "yes", "text": "info", "a path": "/x"}
    for each in describe_settings():
        value = texts.get(each.kind, "a, b")
        section, _, name = each.key.partition(".")
        got = getattr(getattr(load_settings(None, {each.variable: value}), section), name)
        expected = {"7": 7, "1.5": 1.5, "yes": True, "/x": Path("/x"), "a, b": ("a", "b")}.get(value, value)
        assert got == expected, each.key


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[server]\nprot = 1\n", "Did you mean 'server.port'"),
        ("[sever]\nport = 1\n", "Did you mean 'server'"),
        ("[voice]\nthreads = 1\n", "Unknown section"),
        ('[server]\nport = "many"\n', "server.port must be a whole number"),
        ("[server]\nport = true\n", "server.port must be a whole number"),
        ("[server]\nport = 70000\n", "server.port must be between"),
        ("[server]\nlanguage = 3\n", "server.language must be text"),
        ("[keys]\nrequired = 3\n", "keys.required must be true or false"),
        ("[wyoming]\nsatellites = [1]\n", "wyoming.satellites must be a list"),
        ('[server]\nlog_level = "loud"\n', "log_level must be one of"),
        ("[limits]\nconnections = 0\n", "limits.connections must be at least 1"),
        ("[xiaozhi]\nunbound_per_address = 0\n", "xiaozhi.unbound_per_address must be at least 1"),
        ("[xiaozhi]\ntoken_days = -1\n", "xiaozhi.token_days must be at least 0"),
        ("[server\n", "not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_a_reason(tmp_path: Path, toml: str, message: str) -> None:
    file = tmp_path / "entendre.toml"
    file.write_text(toml)
    with pytest.raises(ConfigurationError, match=message):
        load_settings(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_settings(tmp_path / "none.toml")


def test_a_misspelt_variable_is_refused_and_a_foreign_one_is_not() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'ENTENDRE_SERVER_PORT'"):
        load_settings(None, {"ENTENDRE_SERVER_PROT": "1"})
    # Kubernetes sets these for a service that is named like the program.
    foreign = {"ENTENDRE_PORT": "tcp://10.0.0.1:80", "ENTENDRE_SPEECH_DATA": "/data", "ENTENDRE_KEY": "x"}
    assert load_settings(None, foreign) == load_settings()


def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, {}, {"speech.recognizer_key": 12345})
    assert "12345" not in str(caught.value)


def test_what_may_be_unset_can_be_unset() -> None:
    assert load_settings(None, {"ENTENDRE_HOME_FILE": ""}).home.file is None
    assert load_settings(None, {}, {"server.time_zone": "none"}).server.time_zone is None


def test_the_file_is_the_one_given_then_the_variable_then_the_usual_one(tmp_path: Path) -> None:
    usual = tmp_path / "entendre.toml"
    assert settings_file(None, {}, tmp_path) is None
    usual.touch()
    assert settings_file(None, {}, tmp_path) == usual
    assert settings_file(None, {"ENTENDRE_CONFIG": "/a.toml"}, tmp_path) == Path("/a.toml")
    assert settings_file(Path("b.toml"), {"ENTENDRE_CONFIG": "/a.toml"}, tmp_path) == Path("b.toml")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("home.example", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def test_sections_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().server.port = 1  # type: ignore[misc]
