from __future__ import annotations

import pytest

from entendre.core.errors import ConfigurationError
from entendre.home.mqtt.settings import broker_of


def test_a_url_says_all_of_a_broker() -> None:
    broker = broker_of("mqtts://an%40na:p%3Aw@broker.example", "ha")
    assert (broker.host, broker.port, broker.username, broker.password) == ("broker.example", 8883, "an@na", "p:w")
    assert (broker.tls, broker.prefix) == (True, "ha")
    assert (broker_of("mqtt://10.0.0.2", "x").port, broker_of("mqtt://10.0.0.2:1884", "x").port) == (1883, 1884)
    assert "p:w" not in repr(broker)


@pytest.mark.parametrize("url", ["http://broker", "mqtt://", "broker:1883"])
def test_any_other_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigurationError, match="mqtt://user"):
        broker_of(url, "x")
