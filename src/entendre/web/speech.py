"""`POST /v1/audio/speech`: a text in, audio out while it is being made, as OpenAI's API does it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from entendre.core.tags import first_tag
from entendre.ports import Voice
from entendre.web.bodies import json_body, number, text_of
from entendre.web.decoding import FILE_FORMATS, can_encode, encode_file, wav_header
from entendre.web.faults import Fault, invalid
from entendre.web.resampling import rate_changed
from entendre.web.services import SERVICES
from entendre.web.streams import EventStream, send

PCM_RATE_HZ = 24_000
"""Source: OpenAI's `pcm` is headerless 24 kHz mono PCM16."""
FORMATS = ("wav", "pcm", "flac", "opus", "mp3", "aac")
MEDIA_TYPES = {"wav": "audio/wav", "pcm": "audio/pcm"} | {name: kind for name, (_, _, kind) in FILE_FORMATS.items()}
MAX_NAME_CHARS = 64


@dataclass(frozen=True, slots=True)
class Order:
    """What to say, how, and in which format."""

    text: str
    language: str
    voice: Voice
    speed: float
    file_format: str
    events: bool

    def audio(self) -> AsyncIterator[bytes]:
        """PCM16 as it is made; `pcm` and events have a fixed rate."""
        made = self.voice.synthesize(self.text, language=self.language, speed=self.speed)
        return rate_changed(made, self.voice.rate_hz, PCM_RATE_HZ) if self.file_format == "pcm" else made


async def speak(request: web.Request) -> web.StreamResponse:
    """Say one text."""
    order = _order(request, await json_body(request))
    async with asyncio.timeout(request.app[SERVICES].limits.request_s):
        if order.file_format in FILE_FORMATS and not order.events:
            return await _whole(order)
        if order.events:
            return await _events(request, order)
        return await _chunks(request, order)


def _order(request: web.Request, body: dict[str, Any]) -> Order:
    services = request.app[SERVICES]
    text = text_of(body, "input", services.limits.speech_chars)
    if not text.strip():
        raise invalid("input has nothing to say.", "input")
    file_format = text_of(body, "response_format", MAX_NAME_CHARS, "wav")
    if file_format not in FORMATS:
        raise invalid(f"response_format must be one of {', '.join(FORMATS)}.", "response_format")
    if file_format not in ("wav", "pcm") and (file_format not in FILE_FORMATS or not can_encode(file_format)):
        message = f"This server has no {file_format} encoder. Use wav, pcm, flac or opus."
        raise invalid(message, "response_format", "unsupported_format")
    events = text_of(body, "stream_format", MAX_NAME_CHARS, "audio")
    if events not in ("audio", "sse"):
        raise invalid("stream_format must be audio or sse.", "stream_format")
    if events == "sse" and file_format not in ("wav", "pcm"):
        raise invalid("stream_format sse goes with wav or pcm.", "stream_format")
    speed = number(body, "speed", 0.25, 4.0, 1.0)
    return Order(text, *_voice(request, body), speed, file_format, events == "sse")


def _voice(request: web.Request, body: dict[str, Any]) -> tuple[str, Voice]:
    """The language and the voice. A voice of OpenAI's that is not installed means the usual one."""
    services = request.app[SERVICES]
    language = first_tag(text_of(body, "language", MAX_NAME_CHARS, services.language))
    wanted = body.get("voice")
    if isinstance(wanted, dict):
        wanted = text_of(wanted, "id", MAX_NAME_CHARS)
    name = wanted if isinstance(wanted, str) and wanted in services.voices() else None
    voice = services.voice(language, name)
    if voice is None:
        raise invalid("No voice for this language is installed.", "language", "unsupported_language")
    return language, voice


async def _first(audio: AsyncIterator[bytes]) -> bytes:
    """The first piece, awaited before anything is answered, so that a failure is still a proper error."""
    async for piece in audio:
        if piece:
            return piece
    raise Fault(503, "synthesis_failed", "The voice made no audio.")


async def _chunks(request: web.Request, order: Order) -> web.StreamResponse:
    async with aclosing(cast(Any, order.audio())) as audio:
        first = await _first(audio)
        response = web.StreamResponse(headers={"Content-Type": MEDIA_TYPES[order.file_format]})
        response.enable_chunked_encoding()
        await response.prepare(request)
        header = wav_header(order.voice.rate_hz) if order.file_format == "wav" else b""
        await send(request, response, header + first)
        async for piece in audio:
            if piece:
                await send(request, response, piece)
        await response.write_eof()
        return response


async def _events(request: web.Request, order: Order) -> web.StreamResponse:
    async with aclosing(cast(Any, order.audio())) as audio:
        first = await _first(audio)
        stream = await EventStream.open(request)
        pieces = wav_header(order.voice.rate_hz) + first if order.file_format == "wav" else first
        made = 0
        while pieces:
            made += len(pieces)
            delta = {"type": "speech.audio.delta", "audio": base64.b64encode(pieces).decode("ascii")}
            await stream.send(json.dumps(delta))
            pieces = await anext(audio, b"")
        tokens = {"input_tokens": len(order.text.split()), "output_tokens": round(made / 2 / PCM_RATE_HZ * 20)}
        usage = tokens | {"total_tokens": sum(tokens.values())}
        await stream.send(json.dumps({"type": "speech.audio.done", "usage": usage}))
        return await stream.close()


async def _whole(order: Order) -> web.Response:
    async with aclosing(cast(Any, order.audio())) as audio:
        pcm16 = b"".join([piece async for piece in audio])
    if not pcm16:
        raise Fault(503, "synthesis_failed", "The voice made no audio.")
    data = await asyncio.to_thread(encode_file, pcm16, order.voice.rate_hz, order.file_format)
    return web.Response(body=data, content_type=MEDIA_TYPES[order.file_format])
