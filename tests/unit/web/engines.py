"""Small engines with visible behaviour, behind the real application on a real socket."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile
from aiohttp import ClientSession, web

from entendre.core.audio import Samples
from entendre.core.errors import OverloadedError, SynthesisError
from entendre.ports import Transcript
from entendre.web.server import build_app, listen
from entendre.web.services import Question, WebLimits, WebServices

KEY = "ent_secret"


class MeasuringRecognizer:
    """Says how long the audio was and how strong its 440 Hz tone is, so that a wrong decoding shows."""

    name = "measuring"
    languages = frozenset({"en"})

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> Transcript:
        if len(audio) == 0:
            raise OverloadedError("Busy.")
        spectrum = np.abs(np.fft.rfft(audio.astype(float)))
        peak_hz = round(float(np.argmax(spectrum)) * 16_000 / len(audio))
        return Transcript(f"{len(audio) / 16_000:.1f} seconds of {peak_hz} hertz", language, no_speech=0.1)


class ToneVoice:
    """A tenth of a second of tone per word."""

    name = "tone"
    languages = frozenset({"en"})
    rate_hz = 22_050

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        if text == "broken":
            raise SynthesisError("The voice is broken.")
        try:
            for _ in text.split():
                await asyncio.sleep(0)
                count = int(self.rate_hz * 0.1 / speed)
                yield (np.sin(2 * np.pi * 441 / self.rate_hz * np.arange(count)) * 9_000).astype("<i2").tobytes()
        finally:
            self.closed.set()


@dataclass
class Site:
    """The application on a socket, and a plain client of it."""

    services: WebServices
    runner: web.AppRunner
    port: int
    client: ClientSession
    voice: ToneVoice
    questions: list[Question] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def close(self) -> None:
        await self.client.close()
        await self.runner.cleanup()


async def make_site(**changes: Any) -> Site:
    recognizer, voice = MeasuringRecognizer(), ToneVoice()
    questions: list[Question] = []

    async def ask(question: Question) -> dict[str, Any]:
        questions.append(question)
        return {"language": question.language, "intent": "GetTime", "plan": {"reply": "noon", "actions": []}}

    async def verify_key(key: str) -> object | None:
        return "owner" if key == KEY else None

    values: dict[str, Any] = {
        "recognizer": lambda language: recognizer if language == "en" else None,
        "voice": lambda language, name: voice if language == "en" else None,
        "ask": ask,
        "verify_key": verify_key,
        "models": {"measuring": "recognizer", "tone": "voice"},
        "limits": WebLimits(audio_s=5.0, upload_bytes=2_000_000, body_bytes=8_000),
    }
    services = WebServices(**(values | changes))
    runner, port = await listen(build_app(services), "127.0.0.1", 0)
    return Site(services, runner, port, ClientSession(), voice, questions)


def tone_file(file_format: str, *, seconds: float = 1.0, rate_hz: int = 44_100, channels: int = 2) -> bytes:
    tone = np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate_hz)) / rate_hz) * 0.3
    subtype = {"OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}.get(file_format)
    file = io.BytesIO()
    soundfile.write(file, np.stack([tone] * channels, axis=1), rate_hz, format=file_format, subtype=subtype)
    return file.getvalue()
