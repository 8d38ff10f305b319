"""The unmodified `wyoming` client library uses `entendre serve` as recognizer, voice, wake word and assistant."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from rapidfuzz import fuzz
from talking import Server, running_server
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event, Eventable
from wyoming.handle import Handled
from wyoming.info import Describe, Info
from wyoming.intent import Intent, NotRecognized, Recognize
from wyoming.ping import Ping, Pong
from wyoming.tts import Synthesize
from wyoming.wake import Detect, Detection

pytestmark = [pytest.mark.e2e, pytest.mark.speech]

COMMAND = "commands/en/kokoro_af_heart_cmd00.flac"
WOKEN = "commands/en/rhvoice_slt_wake_okay_nabu_01.flac"
STORM = 200


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, int]]:
    """A server and the port of its Wyoming services; no test leaves anything on it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = (f"wyoming.service_port={port}", "speech.wake_words=okay nabu")
    arguments = [word for each in settings for word in ("--set", each)]
    with running_server(tmp_path_factory.mktemp("wyoming"), *arguments) as server:
        yield server, port


def recording(path: Path) -> bytes:
    soundfile = pytest.importorskip("soundfile")
    soxr = pytest.importorskip("soxr")
    audio, rate = soundfile.read(path, dtype="int16")
    silence = np.zeros(8_000, dtype="<i2")
    return np.concatenate([silence, soxr.resample(audio, rate, 16_000), silence]).astype("<i2").tobytes()


def utterance(audio: bytes, rate: int = 16_000) -> list[Eventable]:
    pieces = [AudioChunk(rate, 2, 1, audio[start : start + 2048]) for start in range(0, len(audio), 2048)]
    return [AudioStart(rate, 2, 1), *pieces, AudioStop()]


async def ask(port: int, *events: Eventable, last: str) -> list[Event]:
    """What the server answers, up to the first event of a type."""
    answers: list[Event] = []
    async with AsyncTcpClient("127.0.0.1", port) as client, asyncio.timeout(20):
        for event in events:
            await client.write_event(event.event())
        while not answers or answers[-1].type not in (last, "error"):
            answer = await client.read_event()
            assert answer is not None, "the server closed the connection"
            answers.append(answer)
    assert answers[-1].type == last, answers[-1]
    return answers


async def heard(port: int, audio: bytes, rate: int = 16_000) -> str:
    answers = await ask(port, Transcribe(language="en"), *utterance(audio, rate), last="transcript")
    return Transcript.from_event(answers[-1]).text.lower()


async def test_every_service_of_a_real_server(service: tuple[Server, int], speech_data: Path) -> None:
    _, port = service
    info = Info.from_event((await ask(port, Describe(), last="info"))[0])
    assert info.asr
    assert info.tts
    assert info.intent
    assert info.handle
    assert "okay nabu" in [model.phrase for model in info.wake[0].models]

    assert fuzz.ratio(await heard(port, recording(speech_data / COMMAND)), "turn on the kitchen lights.") > 85

    spoken = await ask(port, Synthesize("The kitchen light is on."), last="audio-stop")
    rate = AudioStart.from_event(spoken[0]).rate
    audio = b"".join(event.payload or b"" for event in spoken)
    assert fuzz.ratio(await heard(port, audio, rate), "the kitchen light is on.") > 80

    woken = utterance(recording(speech_data / WOKEN))
    found = await ask(port, Detect(["ok_nabu"]), *woken, last="detection")
    assert Detection.from_event(found[-1]).name == "ok_nabu"

    meant = Intent.from_event((await ask(port, Recognize("turn on the kitchen lights"), last="intent"))[0])
    assert meant.name
    assert meant.entities
    assert NotRecognized.is_type((await ask(port, Recognize("colourless green ideas"), last="not-recognized"))[0].type)
    done = Handled.from_event((await ask(port, Transcript("turn on the kitchen lights"), last="handled"))[0])
    assert done.text


async def test_hostile_peers_cost_nobody_else_anything(service: tuple[Server, int], speech_data: Path) -> None:
    server, port = service
    audio = recording(speech_data / COMMAND)
    await heard(port, audio)
    pieces = [
        b'{"type": "audio-chunk", "data_length": 3000000000}\n',
        b'{"type": "audio-chunk", "payload_length": 3000000000}\n' + bytes(100_000),
        b"[" * 100_000,
        os.urandom(50_000),
        b'{"type": "transcribe"}\n{"type": "audio-start", "data": {"rate": 7, "width": 9, "channels": 99}}\n',
    ]
    hostile = [asyncio.create_task(attack(port, piece)) for piece in pieces]
    silent = await asyncio.open_connection("127.0.0.1", port)
    stuck = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    text = "This goes on. " * 200
    stuck[1].write(b'{"type": "synthesize", "data": {"text": "%s"}}\n' % text.encode())
    answers = await asyncio.gather(*hostile)
    assert fuzz.ratio(await heard(port, audio), "turn on the kitchen lights.") > 85
    assert all(b'"error"' in answer for answer in answers), answers
    for _, writer in (silent, stuck):
        writer.transport.abort()
    assert Pong.is_type((await ask(port, Ping(), last="pong"))[0].type)
    assert "Traceback" not in server.log


async def attack(port: int, piece: bytes) -> bytes:
    """What the server says before it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(piece)
    async with asyncio.timeout(10):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b'"error" lost in a reset: more was sent than the server read'
        finally:
            writer.transport.abort()


async def test_a_storm_of_reconnects_leaves_memory_flat(service: tuple[Server, int]) -> None:
    server, port = service
    chance = random.Random(7)

    async def storm(times: int) -> None:
        for _ in range(times):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            kind = chance.randrange(4)
            if kind == 0:
                writer.write(b'{"type": "describe"}\n')
                await reader.readline()
            elif kind == 1:
                writer.write(chance.randbytes(5_000))
            elif kind == 2:
                head = b'{"type": "audio-chunk", "data": {"rate": 16000, "width": 2, "channels": 1}'
                writer.write(head + b', "payload_length": 400000}\n' + bytes(300_000))
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            await asyncio.sleep(0)

    process = psutil.Process(server.process.pid)
    await storm(STORM)
    await ask(port, Ping(), last="pong")
    before = (process.num_fds(), process.memory_info().rss)
    for _ in range(2):
        await storm(STORM)
    await ask(port, Ping(), last="pong")
    await asyncio.sleep(0.5)
    assert process.num_fds() <= before[0] + 1
    assert process.memory_info().rss - before[1] < 4 * 2**20
    assert "Traceback" not in server.log


async def test_too_long_an_utterance_is_refused(service: tuple[Server, int]) -> None:
    _, port = service
    async with AsyncTcpClient("127.0.0.1", port) as client:
        for event in utterance(bytes(32_000 * 61))[:-1]:
            await client.write_event(event.event())
        async with asyncio.timeout(10):
            answer = await client.read_event()
        assert answer is not None
        assert Error.from_event(answer).code == "invalid_input"
