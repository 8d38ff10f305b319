"""Any server with OpenAI's audio endpoints behind the async ports: transcriptions and speech."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import ConfigurationError, RecognitionError, SynthesisError
from entendre.core.tags import base_tag, tags_of
from entendre.ports import Transcript
from entendre.speech.audio import wav_bytes
from entendre.speech.tongues import spoken_tag

CONNECT_TIMEOUT_S = 5.0
STALL_TIMEOUT_S = 30.0
TOTAL_TIMEOUT_S = 120.0
ATTEMPTS = 3
FIRST_WAIT_S = 0.25
CHUNK_BYTES = 9_600
LONGEST_TRANSCRIPT_BYTES = 1 << 20
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504})


class _Refused(Exception):
    """The server answered with an error; `again` says whether another attempt may help."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"HTTP {status}: {text[:300]}")
        self.again = status in _TRY_AGAIN


class _Server:
    """Where and how to ask. A session a request: remote engines are asked a few times a minute."""

    def __init__(self, url: str, key: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{url} is no address of an OpenAI-compatible server; write https://host/v1.")
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = aiohttp.ClientTimeout(
            total=TOTAL_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S, sock_read=STALL_TIMEOUT_S
        )

    @asynccontextmanager
    async def post(
        self, path: str, *, form: aiohttp.FormData | None = None, document: object = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer with status 200. Raises: _Refused, aiohttp.ClientError, TimeoutError."""
        async with (
            aiohttp.ClientSession(timeout=self._timeout, headers=self._headers) as session,
            session.post(self.url + path, data=form, json=document) as answer,
        ):
            if answer.status != 200:
                raise _Refused(answer.status, (await answer.content.read(1_000)).decode(errors="replace"))
            yield answer


async def _wait_or_give_up(attempt: int, error: Exception) -> bool:
    """Whether to try again, after a wait that doubles."""
    if attempt + 1 == ATTEMPTS or (isinstance(error, _Refused) and not error.again):
        return False
    await asyncio.sleep(FIRST_WAIT_S * 2**attempt)
    return True


class OpenAIRecognizer:
    """`/audio/transcriptions` of a server; `url` ends in `/v1`."""

    languages = frozenset({"*"})

    def __init__(self, url: str, model: str, key: str = "") -> None:
        """Raises: ConfigurationError. Connects when first used."""
        self._server = _Server(url, key)
        self._model = model
        self.name = f"{model} at {self._server.url}"

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> Transcript:
        """Transcribe one utterance; tried again when the server is busy. Raises: RecognitionError."""
        sound = wav_bytes(audio.astype("<i2").tobytes(), HOUSE_RATE_HZ)
        for attempt in range(ATTEMPTS):
            try:
                text = await self._ask(sound, language, hints)
                return Transcript(text, spoken_tag(text, language), no_speech=0.0 if text else 1.0)
            except (_Refused, aiohttp.ClientError, TimeoutError, ValueError) as error:
                if not await _wait_or_give_up(attempt, error):
                    raise RecognitionError("The remote recognizer did not answer.", detail=str(error)) from error
        raise AssertionError("the last attempt returns or raises")

    async def _ask(self, sound: bytes, language: str, hints: Sequence[str]) -> str:
        form = aiohttp.FormData()
        form.add_field("file", sound, filename="utterance.wav", content_type="audio/wav")
        form.add_field("model", self._model)
        form.add_field("response_format", "json")
        if language != "auto" and len(tags_of(language)) == 1:
            form.add_field("language", base_tag(language))
        if hints:
            form.add_field("prompt", ", ".join(hints))
        async with self._server.post("/audio/transcriptions", form=form) as answer:
            if (answer.content_length or 0) > LONGEST_TRANSCRIPT_BYTES:
                raise ValueError("the answer is too long")
            document = await answer.json(content_type=None)
        if not isinstance(document, dict) or not isinstance(document.get("text"), str):
            raise ValueError("the answer holds no text")
        return str(document["text"]).strip()


class OpenAIVoice:
    """`/audio/speech` of a server; its PCM is passed on as it arrives."""

    languages = frozenset({"*"})
    rate_hz = 24_000

    def __init__(self, url: str, model: str, voice: str, key: str = "") -> None:
        """Raises: ConfigurationError. Connects when first used."""
        self._server = _Server(url, key)
        self._model = model
        self._voice = voice
        self.name = f"{model} {voice} at {self._server.url}"

    async def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        """PCM16 at 24 kHz; tried again only before the first audio. Raises: SynthesisError."""
        document = {
            "model": self._model,
            "voice": self._voice,
            "input": text,
            "response_format": "pcm",
            "speed": speed,
        }
        for attempt in range(ATTEMPTS):
            heard = False
            try:
                async with self._server.post("/audio/speech", document=document) as answer:
                    odd = b""
                    async for data in answer.content.iter_chunked(CHUNK_BYTES):
                        pcm = odd + data
                        odd = pcm[len(pcm) & ~1 :]
                        heard = True
                        yield pcm[: len(pcm) & ~1]
                return
            except (_Refused, aiohttp.ClientError, TimeoutError) as error:
                if heard or not await _wait_or_give_up(attempt, error):
                    raise SynthesisError("The remote voice did not answer.", detail=str(error)) from error
