"""Replies and wake words by URL, over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from engines import Site, make_site

from entendre.core.audio import Samples
from entendre.speech.wake_models import wake_models
from entendre.web import replies as module
from entendre.web.encoding import FileEncoder, GrowingFile
from entendre.web.replies import PostedReply, Replies
from entendre.web.wake_words import WakeWordFiles

RATE_HZ = 24_000


def tone(seconds: float, hz: float = 440.0) -> bytes:
    times_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (np.sin(2 * np.pi * hz * times_s) * 8_000).astype("<i2").tobytes()


def decoded(data: bytes, kind: str) -> tuple[Samples, int]:
    """What a player makes of a file, WAV and FLAC without a length as well."""
    if kind == "wav":
        rate_hz = int.from_bytes(data[24:28], "little")
        return np.frombuffer(data[44:], dtype="<i2").reshape(-1, int.from_bytes(data[22:24], "little")), rate_hz
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        audio = np.concatenate(list(file.blocks(4_096, dtype="int16", always_2d=True)) or [np.zeros((0, 1), "<i2")])
        return audio, file.samplerate


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def replies(clock: Clock) -> Replies:
    return Replies(clock)


@pytest.fixture
async def site(replies: Replies) -> AsyncIterator[Site]:
    made = await make_site(require_key=True, doors=replies.doors())
    yield made
    await made.close()


def spoken(replies: Replies, seconds: float = 1.0, **options: Any) -> PostedReply:
    reply = replies.open(RATE_HZ, **options)
    reply.push(tone(seconds))
    reply.end()
    return reply


@pytest.mark.parametrize("kind", ["mp3", "ogg", "flac", "wav"])
@pytest.mark.parametrize(("to_hz", "channels"), [(None, 1), (48_000, 1), (16_000, 2)])
async def test_a_reply_is_the_file_that_the_listener_wants(
    site: Site, replies: Replies, kind: str, to_hz: int | None, channels: int
) -> None:
    reply = spoken(replies, kind=kind, to_hz=to_hz, channels=channels)
    async with site.client.get(site.address + reply.path) as answer:
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        data = await answer.read()
    if kind == "flac":
        assert data.startswith(b"fLaC")
        assert int.from_bytes(data[18:21], "big") >> 4 == (to_hz or RATE_HZ)
        return
    audio, rate_hz = decoded(data, kind)
    assert audio.shape[1] == channels
    assert rate_hz == (to_hz or RATE_HZ)
    assert 0.9 < len(audio) / rate_hz < 1.2
    heard = audio[len(audio) // 4 : -len(audio) // 4, 0].astype(float)
    spectrum = np.abs(np.fft.rfft(heard))
    assert abs(spectrum.argmax() * rate_hz / len(heard) - 440) < 10
    assert 6_000 < np.abs(heard).max() < 10_000


async def test_a_reply_is_sent_while_it_is_made(site: Site, replies: Replies) -> None:
    reply = replies.open(RATE_HZ)
    async with site.client.get(site.address + reply.path) as answer, asyncio.timeout(5):
        assert answer.headers["Content-Type"] == "audio/mpeg"
        assert reply.fetched_at is not None
        reply.push(tone(0.1))
        assert await answer.content.readany()
        reply.push(tone(0.1))
        assert await answer.content.readany()
        reply.end()
        await answer.read()


async def test_the_flac_of_a_reply_is_read_by_others(replies: Replies) -> None:
    encoder = FileEncoder("flac", RATE_HZ)
    data = b"".join([*(encoder.push(tone(0.06)) for _ in range(10)), encoder.finish()])
    total = int.from_bytes(data[21:26], "big") & 0xFFFFFFFFF
    assert total == 0, "an unknown length is written as zero"
    patched = data[:21] + (data[21] & 0xF0 | 0).to_bytes(1, "big") + (14_400).to_bytes(4, "big") + data[26:]
    audio, rate_hz = decoded(patched, "flac")
    assert (len(audio), rate_hz) == (14_400, RATE_HZ)


async def test_head_and_ranges_are_taken(site: Site, replies: Replies) -> None:
    reply = spoken(replies)
    async with site.client.head(site.address + reply.path) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert answer.headers["Accept-Ranges"] == "none"
    assert reply.fetched_at is None
    async with site.client.get(site.address + reply.path, headers={"Range": "bytes=0-99"}) as answer:
        assert answer.status == 200
        assert len(await answer.read()) > 1_000


async def test_a_client_of_http_1_0_gets_the_whole_too(site: Site, replies: Replies) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"GET {spoken(replies, kind='wav').path} HTTP/1.0\r\n\r\n".encode())
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert len(body) == 44 + 2 * RATE_HZ


@pytest.mark.parametrize("name", ["x.mp3", "", "..%2f..%2fetc", "{token}.exe", "{token}", "{token}x.mp3"])
async def test_no_other_name_opens_a_reply(site: Site, replies: Replies, name: str) -> None:
    path = "/replies/" + name.format(token=spoken(replies).token)
    async with site.client.get(site.address + path, headers={"Authorization": "Bearer sk"}) as answer:
        assert answer.status in (401, 404)


def test_names_can_not_be_guessed(replies: Replies) -> None:
    names = {replies.open(RATE_HZ).token for _ in range(100)}
    assert len(names) == 100
    assert all(re.fullmatch(r"[\w-]{32}", name) for name in names)


async def test_replies_are_forgotten(site: Site, replies: Replies, clock: Clock) -> None:
    reply = spoken(replies)
    for seconds, status in ((0.0, 200), (module.KEPT_S - 1, 200), (2.0, 404)):
        clock.now += seconds
        async with site.client.get(site.address + reply.path) as answer:
            assert answer.status == status


async def test_a_reply_that_never_ends_is_forgotten_too(replies: Replies, clock: Clock) -> None:
    reply = replies.open(RATE_HZ)
    clock.now += module.OPEN_S + 1
    replies.open(RATE_HZ)
    assert reply.ended
    assert replies._find(reply.token) is None


def test_only_so_many_are_kept(replies: Replies, monkeypatch: pytest.MonkeyPatch) -> None:
    first = spoken(replies, 0.1)
    for _ in range(module.MAX_REPLIES):
        spoken(replies, 0.1)
    assert replies._find(first.token) is None
    monkeypatch.setattr(module, "MAX_KEPT_BYTES", 100_000)
    spoken(replies, 1.0)
    last = spoken(replies, 1.0)
    replies.open(RATE_HZ)
    assert sum(reply.size_bytes for _, reply in replies._replies.values()) <= 100_000
    assert replies._find(last.token) is not None


def test_one_reply_is_bounded(replies: Replies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REPLY_BYTES", 5_000)
    reply = replies.open(RATE_HZ)
    for _ in range(5):
        reply.push(bytes(2_000))
    assert reply.size_bytes == 4_000


async def test_a_reply_without_sound_is_a_little_silence(site: Site, replies: Replies) -> None:
    reply = replies.open(RATE_HZ, kind="wav")
    reply.end()
    async with site.client.get(site.address + reply.path) as answer:
        audio, rate_hz = decoded(await answer.read(), "wav")
    assert 0.05 < len(audio) / rate_hz < 0.5
    assert not audio.any()


async def test_a_reply_that_nobody_wants_any_more_ends(site: Site, replies: Replies) -> None:
    reply = replies.open(RATE_HZ)
    async with site.client.get(site.address + reply.path) as answer, asyncio.timeout(5):
        reply.push(tone(0.1))
        await answer.content.readany()
        reply.cut()
        await answer.read()
    assert reply.readers == 0


async def test_one_reply_is_not_fetched_by_a_crowd(site: Site, replies: Replies) -> None:
    reply = replies.open(RATE_HZ)
    answers = [await site.client.get(site.address + reply.path) for _ in range(module.MAX_READERS)]
    await _until(lambda: reply.readers == module.MAX_READERS)
    async with site.client.get(site.address + reply.path) as refused:
        assert refused.status == 429
    for answer in answers:
        answer.close()
    reply.push(tone(1.0))
    await _until(lambda: reply.readers < module.MAX_READERS)
    reply.end()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_crowd_that_comes_at_once_is_turned_away_too(site: Site, replies: Replies) -> None:
    reply = replies.open(RATE_HZ)
    fetches = [asyncio.create_task(site.client.get(site.address + reply.path)) for _ in range(40)]
    answers = await asyncio.gather(*fetches)
    assert [each.status for each in answers].count(200) == module.MAX_READERS
    reply.end()
    for each in answers:
        each.close()


def test_a_growing_file_gives_each_byte_once_and_takes_nothing_back() -> None:
    file = GrowingFile()
    assert file.write(b"head") == 4
    assert file.write(b"body") == 4
    assert file.take() == b"headbody"
    file.seek(2)
    assert file.write(b"XXXXXXXXnew") == 11
    assert file.take() == b"XXnew"
    assert (file.tell(), file.seek(0, 2), file.read(), file.readinto(bytearray(4))) == (13, 13, b"", 0)


async def test_wake_words_are_fetched_with_their_manifest() -> None:
    models = wake_models()
    assert {"okay_nabu", "hey_jarvis"} <= {each.id for each in models}
    files = WakeWordFiles([file for each in models for file in (each.manifest, each.model)])
    site = await make_site(require_key=True, doors=files.doors())
    model = next(each for each in models if each.id == "okay_nabu")
    async with site.client.get(f"{site.address}/wake-words/okay_nabu.json") as answer:
        assert json.loads(await answer.text())["wake_word"] == model.phrase == "Okay Nabu"
    async with site.client.get(f"{site.address}/wake-words/okay_nabu.tflite") as answer:
        assert len(await answer.read()) == model.size_bytes
    for name in ("none.json", "..%2fokay_nabu.json", Path(__file__).name):
        async with site.client.get(f"{site.address}/wake-words/{name}") as answer:
            assert answer.status == 404
    await site.close()
