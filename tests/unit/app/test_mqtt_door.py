"""What the settings of the MQTT endpoint come to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from entendre.app.mqtt import uses_tls, xiaozhi_port
from entendre.config import Settings
from entendre.core.errors import ConfigurationError

PAIR = {"certificate": Path("chain.pem"), "certificate_key": Path("key.pem")}


def settings(*, enabled: bool = True, **mqtt: Any) -> Settings:
    usual = Settings()
    return replace(
        usual, device_mqtt=replace(usual.device_mqtt, **mqtt), xiaozhi=replace(usual.xiaozhi, enabled=enabled)
    )


@pytest.mark.parametrize(
    ("chosen", "port"),
    [
        (settings(), 0),
        (settings(port=1883), 1883),
        (settings(port=1883, xiaozhi=False), 0),
        (settings(port=1883, enabled=False), 0),
        (settings(port=1883, **PAIR), 8883),
        (settings(**PAIR), 8883),
        (settings(port=1883, tls_port=0, **PAIR), 1883),
    ],
)
def test_speakers_are_told_the_port_with_tls_where_there_is_one(chosen: Settings, port: int) -> None:
    assert xiaozhi_port(chosen) == port


@pytest.mark.parametrize("half", list(PAIR))
def test_half_a_certificate_is_refused(half: str) -> None:
    with pytest.raises(ConfigurationError, match="go together"):
        uses_tls(settings(**{half: PAIR[half]}))
