"""Any Wyoming speech-to-text or text-to-speech server behind the async ports: one connection a request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import ConfigurationError, RecognitionError, SynthesisError
from entendre.core.resample import PcmResampler
from entendre.core.tags import base_tag, tags_of
from entendre.ports import Transcript
from entendre.speech.tongues import spoken_tag
from entendre.wire import wyoming_events as events
from entendre.wire.failure import ProtocolFailed
from entendre.wire.wyoming import WyomingCodec, encode

CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 30.0
READ_BYTES = 65_536
CHUNK_SAMPLES = 16_000
RATE_HZ = 22_050
"""What a Wyoming voice is resampled to when it sends another rate, so that the rate is known before it speaks."""


class _Link:
    """One connection: typed events both ways."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._codec = WyomingCodec()

    async def send(self, event: events.WyomingEvent) -> None:
        """Write one event; waits for a slow peer."""
        self._writer.write(encode(event))
        await self._writer.drain()

    async def events(self) -> AsyncIterator[events.WyomingEvent]:
        """What the peer sends, until it closes. Raises: ConnectionError on a broken protocol."""
        while data := await self._reader.read(READ_BYTES):
            for event in self._codec.receive(data):
                if isinstance(event, ProtocolFailed):
                    raise ConnectionError(f"the peer broke the protocol: {event.code}")
                yield event


@asynccontextmanager
async def _connected(host: str, port: int) -> AsyncIterator[_Link]:
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(host, port)
    try:
        yield _Link(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise ConfigurationError(f"{url} is no address of a Wyoming server; write tcp://host:port.")
    return host, port


class WyomingRecognizer:
    """A speech-to-text server. It decides which languages it knows."""

    languages = frozenset({"*"})

    def __init__(self, url: str) -> None:
        """Raises: ConfigurationError. Connects when first used."""
        self._host, self._port = _address(url)
        self.name = f"wyoming {self._host}:{self._port}"

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> Transcript:
        """Transcribe one utterance. Raises: RecognitionError."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S), _connected(self._host, self._port) as link:
                text, heard_language = await self._ask(link, audio, language, hints)
        except (OSError, TimeoutError) as error:
            raise RecognitionError(
                f"The recognizer at {self._host}:{self._port} did not answer.", detail=str(error)
            ) from error
        tag = spoken_tag(text, language, heard_language or "")
        return Transcript(text.strip(), tag, no_speech=0.0 if text.strip() else 1.0)

    async def _ask(self, link: _Link, audio: Samples, language: str, hints: Sequence[str]) -> tuple[str, str | None]:
        several = len(tags_of(language)) > 1
        asked = None if language == "auto" or several else base_tag(language)
        await link.send(events.Transcribe(language=asked, transcript_terms=tuple(hints)))
        await link.send(events.AudioStart(rate=HOUSE_RATE_HZ, width=2, channels=1))
        for start in range(0, len(audio), CHUNK_SAMPLES):
            pcm = audio[start : start + CHUNK_SAMPLES].astype("<i2").tobytes()
            await link.send(events.AudioChunk(rate=HOUSE_RATE_HZ, width=2, channels=1, audio=pcm))
        await link.send(events.AudioStop())
        async for event in link.events():
            if isinstance(event, events.Transcript):
                return event.text, event.language
            if isinstance(event, events.Error):
                raise RecognitionError("The recognizer reported an error.", detail=event.text)
        raise ConnectionError("it closed the connection without a transcript")


class WyomingVoice:
    """A text-to-speech server; its audio is passed on as it arrives."""

    languages = frozenset({"*"})
    rate_hz = RATE_HZ

    def __init__(self, url: str, voice: str = "") -> None:
        """`voice` is the server's own name of one, empty for its default. Raises: ConfigurationError."""
        self._host, self._port = _address(url)
        self._voice = voice
        self.name = f"wyoming {self._host}:{self._port} {voice}".strip()

    async def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        """PCM16 at 22.05 kHz; `speed` is not part of the protocol. Raises: SynthesisError."""
        resampler: PcmResampler | None = None
        try:
            async with _connected(self._host, self._port) as link:
                voice = events.SynthesizeVoice(name=self._voice or None, language=language.split("-")[0])
                await link.send(events.Synthesize(text=text, voice=voice))
                audio = self._audio(link)
                while (chunk := await _in_time(audio)) is not None:
                    resampler = resampler or PcmResampler(chunk.rate, self.rate_hz)
                    if pcm := resampler.push(chunk.audio):
                        yield pcm
        except (OSError, TimeoutError) as error:
            raise SynthesisError(
                f"The voice at {self._host}:{self._port} did not answer.", detail=str(error)
            ) from error
        if resampler is not None and (rest := resampler.flush()):
            yield rest

    async def _audio(self, link: _Link) -> AsyncIterator[events.AudioChunk]:
        async for event in link.events():
            if isinstance(event, events.AudioChunk):
                if event.width != 2 or event.channels != 1:
                    raise SynthesisError("The voice sends no 16-bit mono audio.")
                yield event
            elif isinstance(event, events.AudioStop):
                return
            elif isinstance(event, events.Error):
                raise SynthesisError("The voice reported an error.", detail=event.text)
        raise ConnectionError("it closed the connection before the end of the audio")


async def _in_time(audio: AsyncIterator[events.AudioChunk]) -> events.AudioChunk | None:
    """The next chunk, None at the end. Raises: TimeoutError when the peer stalls."""
    async with asyncio.timeout(ANSWER_TIMEOUT_S):
        return await anext(audio, None)
