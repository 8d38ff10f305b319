"""A running server and real recordings, for the tests that talk to it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from entendre.core.audio import AudioFormat, Encoding
from entendre.wire.g711 import encode

READY_S = 60.0
PIECE_S = 0.02


@dataclass
class Server:
    """`entendre serve` as a subprocess."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")


@contextmanager
def running_server(folder: Path, *arguments: str) -> Iterator[Server]:
    """A server on a port of its own choice that is ready; ended when the block is left."""
    log_file = folder / "server.log"
    command = [sys.executable, "-m", "entendre", "serve", "--port", "0", "--data-dir", str(folder / "data"), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENTENDRE_")}
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder)
    server = Server(process, 0, log_file)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _wait_until_ready(server: Server) -> None:
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        assert server.process.poll() is None, f"the server ended:\n{server.log[-4000:]}"
        found = re.search(r"ready on http://[^:]+:(\d+)", server.log)
        if found:
            server.port = int(found[1])
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(f"http://{server.address}/readyz", timeout=5).read()
                return
        time.sleep(0.05)
    raise AssertionError(f"the server was not ready in {READY_S} s:\n{server.log[-4000:]}")


def recording(folder: Path, text: str, engine: str = "kokoro") -> Path:
    """A recording of these words."""
    for line in (folder / "commands/manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["text"] == text and row["engine"] == engine:
            return folder / "commands" / str(row["path"])
    raise LookupError(text)


def person(folder: Path, text: str) -> Path:
    """A recording of a person who says these words."""
    for line in (folder / "speech/manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        if str(row.get("text", "")).lower() == text.lower():
            return folder / "speech" / str(row["path"])
    raise LookupError(text)


def audio_of(path: Path, audio_format: AudioFormat) -> bytes:
    """A recording as a client of this format would send it."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != audio_format.rate_hz:
        samples = soxr.resample(samples, rate_hz, audio_format.rate_hz)
    return encode((np.clip(samples, -1, 1) * 32767).astype(np.int16), audio_format.encoding)


def silence(seconds: float, audio_format: AudioFormat) -> bytes:
    """Nothing, in a format."""
    return encode(np.zeros(int(seconds * audio_format.rate_hz), dtype=np.int16), audio_format.encoding)


PCM_24KHZ = AudioFormat(24_000)
ULAW = AudioFormat(8_000, encoding=Encoding.ULAW)


async def stream(connection: Any, audio: bytes, audio_format: AudioFormat = PCM_24KHZ) -> None:
    """Send audio at the speed it was recorded."""
    piece = audio_format.byte_count(PIECE_S)
    due = time.monotonic()
    for start in range(0, len(audio), piece):
        await connection.input_audio_buffer.append(audio=base64.b64encode(audio[start : start + piece]).decode())
        due += PIECE_S
        await asyncio.sleep(max(0.0, due - time.monotonic()))


@asynccontextmanager
async def microphone(
    connection: Any, path: Path, audio_format: AudioFormat = PCM_24KHZ, *, after_s: float = 20.0
) -> AsyncIterator[None]:
    """A microphone that hears a recording and then silence."""
    audio = audio_of(path, audio_format) + silence(after_s, audio_format)
    task = asyncio.create_task(stream(connection, audio, audio_format))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(connection: Any, kind: str, limit_s: float = 20.0) -> list[Any]:
    """Events up to and with the first of this kind."""
    events: list[Any] = []
    try:
        async with asyncio.timeout(limit_s):
            async for event in connection:
                events.append(event)
                if event.type == kind:
                    return events
    except TimeoutError:
        pass
    raise AssertionError(f"no {kind} within {limit_s} s after {[event.type for event in events]}")


def words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return re.findall(r"[\w']+", text.lower())
