"""Engines elsewhere, against real servers on loopback: Wyoming and OpenAI's audio endpoints, and their failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from aiohttp import web

pytest.importorskip("soundfile", reason="needs the speech extra")

from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, async_read_event, async_write_event
from wyoming.tts import Synthesize

from entendre.core.errors import ConfigurationError, RecognitionError, SynthesisError
from entendre.speech import remote_openai, remote_wyoming
from entendre.speech.audio import read_audio
from entendre.speech.remote_openai import OpenAIRecognizer, OpenAIVoice
from entendre.speech.remote_wyoming import WyomingRecognizer, WyomingVoice

TONE = (np.sin(np.arange(16_000) / 9) * 9000).astype(np.int16)
Answer = Callable[[Event, asyncio.StreamWriter], Awaitable[bool]]


@asynccontextmanager
async def wyoming_server(answer: Answer) -> AsyncIterator[str]:
    """A server that reads with the reference library; `answer` returns True to hang up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (event := await async_read_event(reader)) is not None:
            if await answer(event, writer):
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def test_wyoming_transcribes() -> None:
    heard: list[object] = []

    async def answer(event: Event, writer: asyncio.StreamWriter) -> bool:
        if Transcribe.is_type(event.type):
            heard.append(Transcribe.from_event(event).language)
        elif AudioChunk.is_type(event.type):
            heard.append(len(AudioChunk.from_event(event).audio))
        elif AudioStop.is_type(event.type):
            await async_write_event(Transcript(text=" lights on ").event(), writer)
        return False

    async with wyoming_server(answer) as url:
        found = await WyomingRecognizer(url).recognize(TONE, language="en-GB")
    assert (found.text, found.language) == ("lights on", "en-GB")
    assert heard == ["en", 32_000]


async def test_wyoming_speaks_at_its_own_rate() -> None:
    async def answer(event: Event, writer: asyncio.StreamWriter) -> bool:
        if Synthesize.is_type(event.type):
            assert Synthesize.from_event(event).text == "Hello."
            await async_write_event(AudioStart(rate=16_000, width=2, channels=1).event(), writer)
            for place in range(0, 16_000, 1_000):
                pcm = TONE[place : place + 1_000].tobytes()
                await async_write_event(AudioChunk(rate=16_000, width=2, channels=1, audio=pcm).event(), writer)
            await async_write_event(AudioStop().event(), writer)
        return False

    async with wyoming_server(answer) as url:
        chunks = [chunk async for chunk in WyomingVoice(url).synthesize("Hello.", language="en")]
    assert len(chunks) > 5
    assert sum(map(len, chunks)) / 2 == pytest.approx(22_050, abs=50)


async def test_wyoming_errors_are_reported() -> None:
    async def complain(event: Event, writer: asyncio.StreamWriter) -> bool:
        await async_write_event(Error(text="no model").event(), writer)
        return False

    async def hang_up(event: Event, writer: asyncio.StreamWriter) -> bool:
        return True

    async def babble(event: Event, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"\xff\xfe no json\n")
        return True

    for answer in (complain, hang_up, babble):
        async with wyoming_server(answer) as url:
            with pytest.raises(RecognitionError):
                await WyomingRecognizer(url).recognize(TONE, language="en")
            with pytest.raises(SynthesisError):
                _ = [chunk async for chunk in WyomingVoice(url).synthesize("Hello.", language="en")]


async def test_a_wyoming_server_that_stalls_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_wyoming, "ANSWER_TIMEOUT_S", 0.05)

    async def stall(event: Event, writer: asyncio.StreamWriter) -> bool:
        return False

    async with wyoming_server(stall) as url:
        with pytest.raises(RecognitionError):
            await WyomingRecognizer(url).recognize(TONE, language="en")
        with pytest.raises(SynthesisError):
            _ = [chunk async for chunk in WyomingVoice(url).synthesize("Hello.", language="en")]


async def test_nobody_listens() -> None:
    with pytest.raises(RecognitionError):
        await WyomingRecognizer("tcp://127.0.0.1:1").recognize(TONE, language="en")
    for url in ("tcp://host", "tcp://host:port", "http://"):
        with pytest.raises(ConfigurationError):
            WyomingRecognizer(url)
    with pytest.raises(ConfigurationError):
        OpenAIVoice("ftp://host", "m", "v")


@asynccontextmanager
async def openai_server(**handlers: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    for name, handler in handlers.items():
        app.router.add_post(f"/v1/audio/{name}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def test_openai_transcribes_and_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_openai, "FIRST_WAIT_S", 0.001)
    seen: list[object] = []

    async def transcriptions(request: web.Request) -> web.Response:
        form = await request.post()
        file = form["file"]
        assert isinstance(file, web.FileField)
        seen.append((form["model"], form.get("language"), request.headers["Authorization"]))
        assert np.array_equal(read_audio(file.file.read()), TONE)
        return web.json_response({"text": " yes "}) if len(seen) == 2 else web.Response(status=503)

    async with openai_server(transcriptions=transcriptions) as url:
        found = await OpenAIRecognizer(url, "w", "secret").recognize(TONE, language="pt-BR")
    assert found.text == "yes"
    assert seen == [("w", "pt", "Bearer secret")] * 2


async def test_openai_speaks_in_whole_samples() -> None:
    async def speech(request: web.Request) -> web.StreamResponse:
        assert (await request.json())["response_format"] == "pcm"
        answer = web.StreamResponse()
        await answer.prepare(request)
        for place in range(0, 9_999, 333):
            await answer.write(TONE.tobytes()[place : min(place + 333, 9_999)])
        return answer

    async with openai_server(speech=speech) as url:
        chunks = [chunk async for chunk in OpenAIVoice(url, "t", "alloy").synthesize("Hi.", language="en")]
    assert all(len(chunk) % 2 == 0 for chunk in chunks)
    assert b"".join(chunks) == TONE.tobytes()[:9_998]


@pytest.mark.parametrize(("status", "attempts"), [(401, 1), (400, 1), (500, 3), (429, 3)])
async def test_openai_errors(monkeypatch: pytest.MonkeyPatch, status: int, attempts: int) -> None:
    monkeypatch.setattr(remote_openai, "FIRST_WAIT_S", 0.001)
    asked = 0

    async def refuse(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(status=status, text="no")

    async with openai_server(speech=refuse, transcriptions=refuse) as url:
        with pytest.raises(RecognitionError):
            await OpenAIRecognizer(url, "w").recognize(TONE, language="en")
        assert asked == attempts
        with pytest.raises(SynthesisError):
            _ = [chunk async for chunk in OpenAIVoice(url, "t", "alloy").synthesize("Hi.", language="en")]
        assert asked == 2 * attempts


async def test_an_answer_that_is_no_transcript(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_openai, "FIRST_WAIT_S", 0.001)

    async def nonsense(request: web.Request) -> web.Response:
        return web.Response(text="[1, 2")

    async with openai_server(transcriptions=nonsense) as url:
        with pytest.raises(RecognitionError):
            await OpenAIRecognizer(url, "w").recognize(TONE, language="en")
