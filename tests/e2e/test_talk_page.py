"""The talk page in a real Chromium whose microphone is a recording."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from talking import Server, recording, running_server

pytestmark = [pytest.mark.e2e, pytest.mark.speech]

PATIENCE_MS = 20_000
AUDIBLE = """
window.heard = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...values) {
  window.heard.push(this.buffer.duration);
  return start.apply(this, values);
};
"""


def chromium() -> str:
    """The browser to drive; the test is skipped where there is none."""
    named = os.environ.get("ENTENDRE_CHROMIUM")
    found = named or next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
    )
    if not found:
        pytest.skip("no Chromium: install it, or name it in ENTENDRE_CHROMIUM")
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("talk")) as started:
        yield started


def microphone_file(folder: Path, *parts: Path | float) -> Path:
    """A WAV of recordings and pauses in seconds, as Chromium's fake microphone wants it."""
    pieces = []
    for part in parts:
        if isinstance(part, Path):
            samples, rate_hz = soundfile.read(part, dtype="float32")
            pieces.append(soxr.resample(samples, rate_hz, 48_000))
        else:
            pieces.append(np.zeros(int(part * 48_000), dtype=np.float32))
    file = folder / "microphone.wav"
    soundfile.write(file, np.concatenate(pieces), 48_000, subtype="PCM_16")
    return file


@contextmanager
def opened(server: Server, microphone: Path | None = None, **context: Any) -> Iterator[Any]:
    """The talk page in a fresh browser."""
    playwright = pytest.importorskip("playwright.sync_api")
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--use-fake-ui-for-media-stream"]
    if microphone:
        arguments += ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone}%noloop"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium(), args=arguments)
        page = browser.new_context(locale="en-GB", **context).new_page()
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.add_init_script(AUDIBLE)
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"http://{server.address}/")
        page.locator("#status[data-state=ready]").wait_for()
        try:
            yield page
        finally:
            browser.close()


def test_a_spoken_question_is_heard_answered_and_explained(server: Server, speech_data: Path, tmp_path: Path) -> None:
    question = recording(speech_data, "what is seventeen times twenty three")
    with opened(server, microphone_file(tmp_path, 1.0, question, 20.0)) as page:
        page.locator("#microphone").click()
        page.locator("#status[data-state=listening]").wait_for()
        page.locator(".answer").wait_for()
        assert "391" in page.locator(".answer").inner_text()
        assert "times" in page.locator(".said").inner_text().lower() or "17" in page.locator(".said").inner_text()
        page.locator(".timeline").wait_for()
        assert re.search(r"\d+ ms", page.locator(".timeline .gap b").inner_text())
        assert page.locator(".chart span").count() >= 1
        assert sum(page.evaluate("window.heard")) > 0.5
        page.locator("#microphone").click()
        page.locator("#status[data-state=ready]").wait_for()
        assert page.problems == []


def test_speaking_over_a_reply_silences_it(server: Server, speech_data: Path, tmp_path: Path) -> None:
    question = recording(speech_data, "what time is it in tokyo")
    with opened(server, microphone_file(tmp_path, 2.5, question, 20.0)) as page:
        page.locator("#text").fill("what can you do")
        page.locator("#text").press("Enter")
        page.locator("#microphone").click()
        page.locator(".answer.interrupted").wait_for()
        assert "Tokyo" in page.locator(".answer:not(.interrupted)").inner_text()
        assert page.problems == []


def test_typing_over_a_reply_replaces_it(server: Server) -> None:
    with opened(server) as page:
        for text in ("what can you do", "what is two plus two"):
            page.locator("#text").fill(text)
            page.locator("#text").press("Enter")
            page.locator("#status[data-state=speaking]").wait_for()
        page.locator(".answer:not(.interrupted)").wait_for()
        page.locator("#status[data-state=ready]").wait_for()
        assert "4" in page.locator(".answer:not(.interrupted)").inner_text()
        assert page.locator(".answer.interrupted").count() == 1
        assert page.locator(".failed").count() == 0


def test_typed_text_is_answered_without_a_microphone(server: Server) -> None:
    with opened(server) as page:
        page.locator("#text").fill("what is twelve times twelve")
        page.locator("#text").press("Enter")
        page.locator(".answer").wait_for()
        assert "144" in page.locator(".answer").inner_text()
        assert page.locator(".said").inner_text() == "what is twelve times twelve"
        assert page.problems == []


def test_two_sentences_typed_at_once_are_both_answered(server: Server) -> None:
    """The second waits until something of the first one's answer has come, or it would cancel what is not done yet."""
    with opened(server) as page:
        page.evaluate("""() => {
            for (const words of ["add milk to the shopping list", "what is two plus two"]) {
                document.getElementById("text").value = words;
                document.getElementById("type-form").requestSubmit();
            }
        }""")
        page.locator(".turn:nth-of-type(2) .answer").wait_for()
        page.locator("#status[data-state=ready]").wait_for()
        turns = page.locator(".turn")
        assert turns.count() == 2
        assert "milk" in turns.nth(0).locator(".answer").inner_text().lower()
        assert turns.nth(0).locator(".actions").count() == 1
        assert "4" in turns.nth(1).locator(".answer").inner_text()
        assert page.locator(".failed").count() == 0
        assert page.problems == []


def test_the_page_fits_a_narrow_screen(server: Server) -> None:
    with opened(server, viewport={"width": 320, "height": 560}, color_scheme="dark") as page:
        page.locator(".examples button").first.click()
        page.locator(".answer").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("language", ["pt", "ms", "ta", "es"])
def test_the_longest_state_fits_a_narrow_screen_beside_the_language(server: Server, language: str) -> None:
    words = json.loads((files("entendre.web") / f"static/text.{language}.json").read_text("utf-8"))
    longest = max((text for name, text in words.items() if name.startswith("status_")), key=len)
    with opened(server, viewport={"width": 360, "height": 640}) as page:
        page.goto(f"http://{server.address}/?lang={language}")
        page.locator("#status[data-state=ready]").wait_for()
        page.evaluate("(state) => { document.getElementById('status-text').textContent = state; }", longest)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate("document.getElementById('status').getBoundingClientRect().right") <= 360


def made_key(folder: Path) -> str:
    """A key of the server whose data is in this folder."""
    command = [sys.executable, "-m", "entendre", "keys", "create", "page", "--data-dir", str(folder / "data")]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout.strip()


def test_a_server_with_keys_asks_for_one(tmp_path: Path) -> None:
    quiet = ("--set", "speech.recognizer=none", "--set", "speech.voice=none")
    with running_server(tmp_path, "--set", "keys.required=true", *quiet) as locked:
        playwright = pytest.importorskip("playwright.sync_api")
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            page = browser.new_page()
            page.goto(f"http://{locked.address}/")
            page.locator("#key").fill("wrong")
            page.locator("#key").press("Enter")
            page.locator("#notice").wait_for()
            assert "key" in page.locator("#notice").inner_text()
            page.locator("#key").fill(made_key(tmp_path))
            page.locator("#key").press("Enter")
            page.locator("#status[data-state=ready]").wait_for()
            page.locator("#text").fill("what is two plus two")
            page.locator("#text").press("Enter")
            page.locator(".answer").wait_for()
            assert "4" in page.locator(".answer").inner_text()
            browser.close()
