"""Stations from a real HTTP server on this machine: formats, detours, and what is refused."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from aiohttp import web

from entendre.core.errors import MediaError
from entendre.media import source as media_source
from entendre.media.addresses import Place
from entendre.media.decoding import KEPT_BYTES, sniff
from entendre.media.source import HttpMedia

pytest.importorskip("miniaudio", reason="needs the media extra")
soundfile = pytest.importorskip("soundfile", reason="needs the speech extra to make sounds")

HZ = 440


def sound(file_format: str = "MP3", seconds: float = 2.0, rate_hz: int = 44_100) -> bytes:
    """A tone, left and right."""
    wave = 0.3 * np.sin(2 * np.pi * HZ * np.arange(int(seconds * rate_hz)) / rate_hz)
    subtype = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}.get(file_format)
    file = io.BytesIO()
    soundfile.write(file, np.stack([wave, wave], axis=1), rate_hz, format=file_format, subtype=subtype)
    return file.getvalue()


@dataclass
class Station:
    """A server whose every path is a handler of the test."""

    port: int = 0
    answers: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(default_factory=dict)
    named: frozenset[Place] = frozenset()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def file(self, path: str, body: bytes, content_type: str = "audio/mpeg", **headers: str) -> None:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(body=body, content_type=content_type, headers=headers)

        self.answers[path] = answer

    def redirect(self, path: str, to: str) -> None:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": to})

        self.answers[path] = answer


@pytest.fixture
async def station() -> AsyncIterator[Station]:
    made = Station()

    async def handle(request: web.Request) -> web.StreamResponse:
        found = made.answers.get(request.path)
        return await found(request) if found is not None else web.Response(status=404)

    runner = web.AppRunner(_app(handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    made.named = frozenset({("127.0.0.1", made.port)})
    yield made
    await runner.cleanup()


def _app(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.Application:
    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    return app


@pytest.fixture
async def media(station: Station) -> AsyncIterator[HttpMedia]:
    made = HttpMedia(lambda: station.named)
    yield made
    await made.close()


async def heard(media: HttpMedia, url: str, from_s: float = 0.0) -> np.ndarray:
    return np.frombuffer(b"".join([chunk async for chunk in media.open(url, from_s=from_s)]), dtype="<i2")


def pitch_hz(samples: np.ndarray) -> float:
    middle = samples[len(samples) // 4 : len(samples) // 4 + 12_000].astype(float)
    return float(np.abs(np.fft.rfft(middle)).argmax()) * 24_000 / len(middle)


@pytest.mark.parametrize("file_format", ["MP3", "OGG", "FLAC", "WAV"])
async def test_formats_are_decoded_at_our_rate(station: Station, media: HttpMedia, file_format: str) -> None:
    station.file("/x", sound(file_format), "application/octet-stream")
    samples = await heard(media, station.url("/x"))
    assert len(samples) / media.rate_hz == pytest.approx(2.0, abs=0.06)
    assert pitch_hz(samples) == pytest.approx(HZ, abs=3)
    later = await heard(media, station.url("/x"), from_s=1.5)
    assert len(later) / media.rate_hz == pytest.approx(0.5, abs=0.06)


async def test_a_broadcast_plays_before_it_ends_and_is_let_go_of(station: Station, media: HttpMedia) -> None:
    gone = asyncio.Event()
    tone = sound(seconds=1.0)

    async def broadcast(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "audio/mpeg"})
        await answer.prepare(request)
        try:
            await answer.write(tone[700:])  # it begins in the middle of a frame
            while True:
                await answer.write(tone)
                await asyncio.sleep(0.02)
        except ConnectionError:
            gone.set()
            raise

    station.answers["/live"] = broadcast
    stream = media.open(station.url("/live"), from_s=3600.0)
    async with asyncio.timeout(5):
        first = await anext(stream)
        assert len(first) > 1000
        await stream.aclose()
        await gone.wait()
    await asyncio.sleep(0.1)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("media")]


async def test_redirects_and_playlists_are_followed(station: Station, media: HttpMedia) -> None:
    station.file("/song.mp3", sound())
    station.redirect("/a", "/b.m3u")
    station.file("/b.m3u", b"#EXTM3U\n#EXTINF:-1,Jazz\n/c.pls\n", "audio/x-mpegurl")
    station.file("/c.pls", f"[playlist]\nFile1={station.url('/song.mp3')}\n".encode(), "audio/x-scpls")
    assert len(await heard(media, station.url("/a"))) > 40_000


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing", "404"),
        ("/text", "decode"),
        ("/empty", "decode"),
        ("/circle", "circles"),
        ("/hls.m3u8", "HLS"),
        ("/nothing.m3u", "empty"),
        ("/long.m3u", "too long"),
        ("/to-file", "http and https"),
        ("/to-private", "private"),
        ("/opus", "decode"),
    ],
)
async def test_what_cannot_be_played_says_why(station: Station, media: HttpMedia, path: str, message: str) -> None:
    station.file("/text", b"<html>" * 1000, "text/html")
    station.file("/empty", b"")
    station.file("/opus", b"OggS" + bytes(24) + b"OpusHead" + bytes(9000))
    station.redirect("/circle", "/circle")
    station.file("/hls.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:10\nx.ts\n", "application/vnd.apple.mpegurl")
    station.file("/nothing.m3u", b"#EXTM3U\n", "audio/x-mpegurl")
    station.file("/long.m3u", b"#\n" * 50_000, "audio/x-mpegurl")
    station.redirect("/to-file", "file:///etc/passwd")
    station.redirect("/to-private", "http://192.168.0.1/stream")
    with pytest.raises(MediaError) as refused:
        await heard(media, station.url(path))
    assert message in refused.value.public_message


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "169.254.169.254"]
)
async def test_private_places_are_played_from_only_if_the_owner_named_them(station: Station, host: str) -> None:
    station.file("/song.mp3", sound())
    media = HttpMedia(frozenset)
    try:
        with pytest.raises(MediaError):
            await heard(media, station.url("/song.mp3", host))
    finally:
        await media.close()


async def test_a_named_host_may_be_private(station: Station) -> None:
    station.file("/song.mp3", sound())
    media = HttpMedia(lambda: frozenset({("localhost", station.port)}))
    try:
        assert len(await heard(media, station.url("/song.mp3", "localhost"))) > 40_000
    finally:
        await media.close()


@pytest.mark.parametrize(
    "url", ["ftp://x/y", "jazz", "http://", "http://[", "http://x:99999/", "https://" + "x" * 3000]
)
async def test_odd_addresses_are_refused(media: HttpMedia, url: str) -> None:
    with pytest.raises(MediaError):
        await heard(media, url)


async def test_a_stream_that_falls_silent_ends_with_an_error(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_source, "SILENCE_S", 0.2)
    over = asyncio.Event()
    tone = sound(seconds=40.0)

    async def stalling(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "audio/mpeg"})
        await answer.prepare(request)
        await answer.write(tone[: len(tone) // 2])
        await over.wait()
        return answer

    station.answers["/stalls"] = stalling
    media = HttpMedia(lambda: station.named)
    got = 0
    try:
        with pytest.raises(MediaError):
            async for chunk in media.open(station.url("/stalls")):
                got += len(chunk)
    finally:
        over.set()
        await media.close()
    assert got > 48_000, "what came before is played"


@pytest.mark.parametrize("begins_with", [b"", b"ID3\x03\x00\x00\x7f\x7f\x7f\x7f" + bytes(8 * 1024)])
async def test_a_stream_that_sends_bytes_singly_is_given_up(
    station: Station, media: HttpMedia, monkeypatch: pytest.MonkeyPatch, begins_with: bytes
) -> None:
    """Before its format is known, and while its decoder waits for a sound: it is never silent for long."""
    monkeypatch.setattr(media_source, "START_S", 0.3)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/mpeg"})
        await response.prepare(request)
        await response.write(begins_with)
        while True:
            await response.write(b"\0")
            await asyncio.sleep(0.02)

    station.answers["/drip"] = answer
    async with asyncio.timeout(5):
        with pytest.raises(MediaError):
            async for _ in media.open(station.url("/drip")):
                pass


async def test_so_many_streams_at_once(station: Station, media: HttpMedia, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_source, "MAX_STREAMS", 1)
    station.file("/song.mp3", sound())
    first = media.open(station.url("/song.mp3"))
    await anext(first)
    with pytest.raises(MediaError, match="streams"):
        await heard(media, station.url("/song.mp3"))
    await first.aclose()
    assert len(await heard(media, station.url("/song.mp3"))) > 40_000


async def test_a_song_with_a_large_cover_plays(station: Station, media: HttpMedia) -> None:
    size = KEPT_BYTES + 100_000
    syncsafe = bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    station.file("/song.mp3", b"ID3\x04\x00\x00" + syncsafe + bytes(size) + sound())
    assert len(await heard(media, station.url("/song.mp3"))) > 40_000


def test_formats_are_known_by_their_first_bytes() -> None:
    for file_format, known in (("MP3", "MP3"), ("OGG", "VORBIS"), ("FLAC", "FLAC"), ("WAV", "WAV")):
        assert sniff(sound(file_format, 0.5)[:512]) == known
    assert sniff(sound("MP3", 1.0)[1000:5000]) == "MP3"
    assert sniff(b"") is None and sniff(b"<html>" * 100) is None and sniff(b"\xff\xfb") is None
