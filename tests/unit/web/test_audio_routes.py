"""Transcriptions and speech, by the unmodified SDK and by hand."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import tracemalloc
from collections.abc import AsyncIterator

import numpy as np
import pytest
import soundfile
from aiohttp import FormData
from engines import Site, make_site, tone_file
from openai import AsyncOpenAI, BadRequestError

from entendre.web.decoding import decode_file

HEARD = "1.0 seconds of 440 hertz"


@pytest.fixture
async def sdk(site: Site) -> AsyncIterator[AsyncOpenAI]:
    client = AsyncOpenAI(base_url=f"{site.address}/v1", api_key="any", max_retries=0)
    yield client
    await client.close()


@pytest.mark.parametrize("file_format", ["WAV", "FLAC", "OGG", "MP3"])
async def test_files_of_many_formats_are_heard(sdk: AsyncOpenAI, file_format: str) -> None:
    data = tone_file(file_format)
    answer = await sdk.audio.transcriptions.create(model="any", file=(f"x.{file_format.lower()}", data))
    assert answer.text in (HEARD, "1.1 seconds of 440 hertz")  # MP3 pads its ends


async def test_text_and_verbose_answers(sdk: AsyncOpenAI) -> None:
    data = tone_file("WAV", rate_hz=8_000, channels=1)
    text = await sdk.audio.transcriptions.create(model="any", file=("x.wav", data), response_format="text")
    verbose = await sdk.audio.transcriptions.create(model="any", file=("x.wav", data), response_format="verbose_json")
    assert text == f"{HEARD}\n"
    assert (verbose.text, verbose.language, verbose.duration) == (HEARD, "en", 1.0)
    assert verbose.segments and verbose.segments[0].no_speech_prob == 0.1


async def test_streamed_words_add_up(sdk: AsyncOpenAI) -> None:
    stream = await sdk.audio.transcriptions.create(model="any", file=("x.wav", tone_file("WAV")), stream=True)
    events = [event async for event in stream]
    assert "".join(event.delta for event in events[:-1]) == HEARD
    assert (events[-1].type, events[-1].text) == ("transcript.text.done", HEARD)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"file": b"not audio at all" * 50}, "invalid_input"),
        ({"file": b""}, "invalid_input"),
        ({"other": b"x"}, "missing_required_parameter"),
        ({"file": tone_file("WAV", seconds=6.0, rate_hz=8_000, channels=1)}, "invalid_input"),
        ({"file": tone_file("WAV"), "response_format": "srt"}, "invalid_value"),
        ({"file": tone_file("WAV"), "language": "xx"}, "unsupported_language"),
    ],
)
async def test_bad_uploads_are_refused_in_the_apis_shape(site: Site, fields: dict[str, object], code: str) -> None:
    form = FormData(quote_fields=False)
    form.add_field("model", "any")
    for name, value in fields.items():
        form.add_field(name, value, filename="x.wav" if isinstance(value, bytes) else None)
    async with site.client.post(f"{site.address}/v1/audio/transcriptions", data=form) as answer:
        body = await answer.json()
    assert answer.status == 400
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert body["error"]["code"] == code


async def test_an_upload_that_is_too_large_is_cut_off(site: Site) -> None:
    form = FormData()
    form.add_field("file", b"\0" * 2_100_000, filename="x.wav")
    async with site.client.post(f"{site.address}/v1/audio/transcriptions", data=form) as answer:
        body = await answer.json()
    assert (answer.status, body["error"]["code"]) == (413, "request_too_large")


async def test_an_engine_that_is_busy_says_when_to_come_back(site: Site) -> None:
    form = FormData()
    form.add_field("file", tone_file("WAV", seconds=0.0), filename="x.wav")
    async with site.client.post(f"{site.address}/v1/audio/transcriptions", data=form) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "1")


@pytest.mark.parametrize("file_format", ["wav", "flac", "opus", "mp3"])
async def test_speech_in_every_format_sounds_right(sdk: AsyncOpenAI, file_format: str) -> None:
    answer = await sdk.audio.speech.create(
        model="any",
        voice="alloy",
        input="one two three",
        response_format=file_format,  # type: ignore[arg-type]
    )
    audio, rate_hz = soundfile.read(io.BytesIO(answer.content))
    assert len(audio) / rate_hz == pytest.approx(0.3, abs=0.06)
    assert 0.15 < abs(audio).max() < 0.4


async def test_pcm_is_24_khz_and_faster_speech_is_shorter(sdk: AsyncOpenAI) -> None:
    answers = [
        await sdk.audio.speech.create(model="any", voice="x", input="one two", response_format="pcm", speed=speed)
        for speed in (1.0, 2.0)
    ]
    assert [len(answer.content) / 48_000 for answer in answers] == pytest.approx([0.2, 0.1], abs=0.01)


async def test_speech_arrives_while_it_is_made(site: Site) -> None:
    body = {"input": "one two three four", "response_format": "wav"}
    async with site.client.post(f"{site.address}/v1/audio/speech", json=body) as answer:
        assert answer.headers["Transfer-Encoding"] == "chunked"
        pieces = [piece async for piece, _ in answer.content.iter_chunks()]
    assert pieces[0][:4] == b"RIFF"
    assert len(pieces) > 1
    assert site.voice.closed.is_set()


async def test_speech_as_events(site: Site) -> None:
    body = {"input": "one two", "response_format": "pcm", "stream_format": "sse"}
    async with site.client.post(f"{site.address}/v1/audio/speech", json=body) as answer:
        lines = [line for line in (await answer.text()).split("\n\n") if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    audio = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert len(audio) / 48_000 == pytest.approx(0.2, abs=0.01)
    assert events[-1]["type"] == "speech.audio.done"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"input": "hi", "response_format": "aac"}, 400, "unsupported_format"),
        ({"input": "hi", "response_format": "midi"}, 400, "invalid_value"),
        ({"input": "x" * 5_000}, 400, "string_above_max_length"),
        ({"input": "  "}, 400, "invalid_value"),
        ({}, 400, "missing_required_parameter"),
        ({"input": 5}, 400, "invalid_type"),
        ({"input": "hi", "speed": 9}, 400, "invalid_value"),
        ({"input": "hi", "language": "xx"}, 400, "unsupported_language"),
        ({"input": "broken"}, 503, "synthesis_failed"),
        ({"input": "y" * 20_000}, 413, "request_too_large"),
    ],
)
async def test_bad_orders_are_refused(site: Site, body: dict[str, object], status: int, code: str) -> None:
    async with site.client.post(f"{site.address}/v1/audio/speech", json=body) as answer:
        error = (await answer.json())["error"]
    assert (answer.status, error["code"]) == (status, code)


async def test_the_sdk_raises_its_own_error(sdk: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as raised:
        await sdk.audio.speech.create(model="any", voice="x", input="hi", response_format="aac")
    assert raised.value.code == "unsupported_format"


async def test_a_listener_that_leaves_stops_the_voice(site: Site) -> None:
    body = {"input": "word " * 800, "response_format": "wav"}
    answer = await site.client.post(f"{site.address}/v1/audio/speech", json=body)
    await answer.content.readany()
    answer.close()
    async with asyncio.timeout(3):
        await site.voice.closed.wait()


async def test_a_listener_that_takes_nothing_is_cut_off() -> None:
    from entendre.web.services import WebLimits

    site = await make_site(limits=WebLimits(send_s=0.2))
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port, limit=1024)
        body = json.dumps({"input": "a " * 2_000, "response_format": "wav"}).encode()
        lines = ["POST /v1/audio/speech HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
        writer.write(head.encode() + body)
        async with asyncio.timeout(5):
            await site.voice.closed.wait()
        writer.close()
        del reader
    finally:
        await site.close()


def test_a_small_file_does_not_take_much_memory() -> None:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(60 * 192_000, dtype=np.int16), 192_000, format="FLAC")
    assert len(file.getvalue()) < 200_000
    tracemalloc.start()
    decoded = decode_file(file.getvalue(), 600.0)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(decoded.samples) == pytest.approx(60 * 16_000, abs=2)
    assert peak_bytes < 20 * 960_000, "a few copies at the house rate, none at the file's"
