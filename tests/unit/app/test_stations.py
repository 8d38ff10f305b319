"""Stations of households: only whoever runs the server names places in its own network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entendre.app import App
from entendre.config import load_settings
from entendre.core.errors import MediaError
from entendre.home.stored import stored_document
from entendre.session.runtime import HouseholdRuntime
from entendre.store.people.households import HouseholdStore
from entendre.system import SystemClock

STATION = "http://127.0.0.1:9/radio.mp3"
HOME_FILE = {"media": [{"id": "jazz", "names": ["Jazz"], "url": STATION}]}


async def why_silent(runtime: HouseholdRuntime) -> str:
    media = runtime.assistant.media
    assert media is not None
    with pytest.raises(MediaError) as refused:
        async for _ in media.open(STATION):
            break
    return refused.value.detail or ""


async def test_only_the_server_s_own_home_plays_from_its_network(tmp_path: Path) -> None:
    pytest.importorskip("miniaudio")
    file = tmp_path / "home.json"
    file.write_text(json.dumps(HOME_FILE))
    given = {"speech.recognizer": "none", "speech.voice": "none", "server.port": 0, "home.file": file}
    given |= {"server.data_dir": tmp_path / "data", "xiaozhi.enabled": False}
    app = App(load_settings(flags=given))
    await app.start()
    try:
        households = HouseholdStore(app.database, SystemClock(), "home")
        made = await households.create({"name": "Guests"}, brand="home", owner=None, by="cli")
        await app.households.homes.put_document(made.id, stored_document(HOME_FILE), by="cli")
        async with app.households.using(made.id) as others:
            assert others.graph.snapshot().media[0].url == STATION
            assert await why_silent(others) == "private"
        assert await why_silent(app.households.own) != "private"
    finally:
        await app.close()
