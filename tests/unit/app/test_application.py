"""The life of the whole: what it started ends with it."""

from __future__ import annotations

from pathlib import Path
from threading import enumerate as enumerate_threads

from entendre.app import App
from entendre.config import load_settings


async def test_languages_that_are_being_compiled_end_with_the_server(tmp_path: Path) -> None:
    before = set(enumerate_threads())
    silent = {"speech.recognizer": "none", "speech.voice": "none", "server.data_dir": tmp_path}
    app = App(load_settings(flags=silent), listen=False)
    await app.start()
    app.planner.prepare(("th", "ru"))
    compiling = [each for each in set(enumerate_threads()) - before if each.name.startswith("languages")]
    assert compiling
    await app.close()
    assert not any(thread.is_alive() for thread in compiling)
