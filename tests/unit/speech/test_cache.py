"""Cached replies: synthesised once, whole or not at all, bounded, and never trusted when damaged."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from entendre.core.errors import SynthesisError
from entendre.speech.cache import CachedVoice, ReplyCache


class ScriptedVoice:
    """Speaks each word as one chunk and waits when told to."""

    name = "scripted"
    languages = frozenset({"en"})
    rate_hz = 16_000

    def __init__(self) -> None:
        self.calls = 0
        self.stopped = 0
        self.go = asyncio.Event()
        self.go.set()
        self.fail = False

    async def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        self.calls += 1
        try:
            for word in text.split():
                await self.go.wait()
                if self.fail:
                    raise SynthesisError()
                yield word.encode()
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped += 1
            raise


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def speak(voice: CachedVoice, text: str, language: str = "en", speed: float = 1.0) -> bytes:
    return b"".join([chunk async for chunk in voice.synthesize(text, language=language, speed=speed)])


async def test_the_second_time_costs_nothing() -> None:
    engine = ScriptedVoice()
    voice = CachedVoice(engine, ReplyCache(memory_bytes=1000))
    assert await speak(voice, "lights on") == b"lightson"
    assert await speak(voice, "lights on") == b"lightson"
    assert engine.calls == 1


async def test_language_speed_and_text_tell_replies_apart() -> None:
    engine = ScriptedVoice()
    voice = CachedVoice(engine, ReplyCache(memory_bytes=1000))
    await speak(voice, "on")
    await speak(voice, "on", language="en-GB")
    await speak(voice, "on", speed=1.2)
    await speak(voice, "off")
    assert engine.calls == 4


async def test_chunks_come_before_the_end() -> None:
    engine = ScriptedVoice()
    stream = CachedVoice(engine, ReplyCache(memory_bytes=1000)).synthesize("a b c d e f g", language="en")
    assert await anext(stream) == b"a"
    engine.go.clear()
    await stream.aclose()


async def test_the_same_reply_at_once_is_made_once() -> None:
    engine = ScriptedVoice()
    voice = CachedVoice(engine, ReplyCache(memory_bytes=1000))
    heard = await asyncio.gather(*(speak(voice, "one two three four five") for _ in range(5)))
    assert set(heard) == {b"onetwothreefourfive"}
    assert engine.calls == 1


async def test_one_listener_leaving_stops_nobody_else() -> None:
    engine = ScriptedVoice()
    voice = CachedVoice(engine, ReplyCache(memory_bytes=1000))
    first = voice.synthesize("one two three", language="en")
    await anext(first)
    second = asyncio.create_task(speak(voice, "one two three"))
    await asyncio.sleep(0.01)
    await first.aclose()
    assert await second == b"onetwothree"


async def test_a_stopped_reply_is_not_kept() -> None:
    engine = ScriptedVoice()
    voice = CachedVoice(engine, ReplyCache(memory_bytes=1000))
    stream = voice.synthesize("one two three four five", language="en")
    await anext(stream)
    await stream.aclose()
    assert engine.stopped == 1
    assert await speak(voice, "one two three four five") == b"onetwothreefourfive"
    assert engine.calls == 2


async def test_a_failed_reply_is_not_kept() -> None:
    engine = ScriptedVoice()
    voice = CachedVoice(engine, ReplyCache(memory_bytes=1000))
    engine.fail = True
    with pytest.raises(SynthesisError):
        await speak(voice, "one two")
    engine.fail = False
    assert await speak(voice, "one two") == b"onetwo"


async def test_memory_is_bounded_and_keeps_the_recent() -> None:
    cache = ReplyCache(memory_bytes=10)
    await cache.put("a", b"12345")
    await cache.put("b", b"12345")
    await cache.get("a")
    await cache.put("c", b"12345")
    assert (await cache.get("a"), await cache.get("b"), await cache.get("c")) == (b"12345", None, b"12345")
    await cache.put("huge", b"x" * 11)
    assert await cache.get("huge") is None


async def test_disk_outlives_the_process_and_is_bounded(tmp_path: Path) -> None:
    cache = ReplyCache(memory_bytes=0, disk_bytes=250, folder=tmp_path)
    for key in "abc":
        await cache.put(key, key.encode() * 68)
    again = ReplyCache(memory_bytes=0, disk_bytes=250, folder=tmp_path)
    assert [await again.get(key) for key in "abc"] == [None, b"b" * 68, b"c" * 68]
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 250


async def test_a_damaged_file_is_a_miss_and_goes_away(tmp_path: Path) -> None:
    await ReplyCache(memory_bytes=0, disk_bytes=1000, folder=tmp_path).put("a", b"sound")
    (file,) = files(tmp_path)
    file.write_bytes(file.read_bytes()[:-1] + b"X")
    (tmp_path / "left-over.part").write_bytes(b"half")
    cache = ReplyCache(memory_bytes=0, disk_bytes=1000, folder=tmp_path)
    assert await cache.get("a") is None
    assert files(tmp_path) == []
