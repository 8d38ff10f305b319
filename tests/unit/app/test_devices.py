"""The settings of devices do what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from entendre.app.devices import open_devices, vision_of
from entendre.config import Settings, load_settings
from entendre.core.device import Admitted, DeviceIdentity, Refusal, Refused, Unbound
from entendre.core.errors import ConfigurationError
from entendre.store import Database
from entendre.system import SystemClock


def chosen(folder: Path, **values: object) -> Settings:
    return load_settings(flags={"server.data_dir": folder} | {f"xiaozhi.{name}": each for name, each in values.items()})


async def test_so_many_devices_of_an_address_wait_and_tokens_last_so_long(tmp_path: Path) -> None:
    database, clock = Database(tmp_path / "entendre.db"), SystemClock()
    devices = open_devices(chosen(tmp_path, unbound_per_address=1, token_days=0.5), database, clock)
    first = DeviceIdentity("02:11:22:33:44:55", "one")
    shown = await devices.announce(first, "192.0.2.1")
    assert isinstance(shown, Unbound)
    second = await devices.announce(DeviceIdentity("02:11:22:33:44:66", "two"), "192.0.2.1")
    assert second == Refused(Refusal.TOO_MANY_UNBOUND)
    await devices.bind(shown.code, by="cli", guesser="cli")
    admitted = await devices.announce(first, "192.0.2.1")
    assert isinstance(admitted, Admitted)
    assert admitted.expires_at_s == pytest.approx(clock.wall() + 43_200, abs=60)
    await database.close()


async def test_tokens_last_until_their_successor_unless_told_otherwise(tmp_path: Path) -> None:
    database = Database(tmp_path / "entendre.db")
    devices = open_devices(chosen(tmp_path), database, SystemClock())
    shown = await devices.announce(DeviceIdentity("02:11:22:33:44:55", "one"), "192.0.2.1")
    assert isinstance(shown, Unbound)
    await devices.bind(shown.code, by="cli", guesser="cli")
    admitted = await devices.announce(DeviceIdentity("02:11:22:33:44:55", "one"), "192.0.2.1")
    assert isinstance(admitted, Admitted)
    assert admitted.expires_at_s is None
    await database.close()


def test_photos_are_looked_at_only_where_a_model_is_named(tmp_path: Path) -> None:
    assert vision_of(chosen(tmp_path)) is None
    assert vision_of(chosen(tmp_path, vision_url="http://127.0.0.1:1/v1")) is not None
    with pytest.raises(ConfigurationError):
        vision_of(chosen(tmp_path, vision_url="127.0.0.1"))
