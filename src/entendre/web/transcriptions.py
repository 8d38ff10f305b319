"""`POST /v1/audio/transcriptions`: a file in, its words out, as OpenAI's API does it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from entendre.core.audio import Samples
from entendre.ports import Recognizer, Transcript
from entendre.web.decoding import Decoded, decode_file
from entendre.web.faults import Fault, invalid
from entendre.web.pieces import pieces_of
from entendre.web.services import SERVICES, WebLimits, WebServices
from entendre.web.streams import EventStream

FORMATS = ("json", "text", "verbose_json")
MAX_FIELDS = 32
MAX_FIELD_BYTES = 16_384
READ_BYTES = 1 << 16


@dataclass(slots=True)
class Upload:
    """The fields of a request."""

    file: bytes | None
    fields: dict[str, str]

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of the values a field may have. Raises: Fault."""
        value = self.fields.get(name, default)
        if value not in choices:
            raise invalid(f"{name} must be one of {', '.join(choices)}.", name)
        return value


async def transcribe(request: web.Request) -> web.StreamResponse:
    """Recognise one file."""
    services = request.app[SERVICES]
    if request.content_type != "multipart/form-data":
        raise invalid("Send the file as multipart/form-data.", "file")
    async with asyncio.timeout(services.limits.upload_s):
        upload = await _upload(request, services.limits)
    if upload.file is None:
        raise invalid("Missing required parameter: 'file'.", "file", "missing_required_parameter")
    answers = upload.choice("response_format", FORMATS, "json")
    streams = upload.choice("stream", ("true", "false"), "false") == "true"
    language = upload.fields.get("language") or services.language
    recognizer = services.recognizer(language)
    if recognizer is None:
        raise invalid("No recognizer for this language is installed.", "language", "unsupported_language")
    hints = tuple(word for word in (upload.fields.get("prompt", ""),) if word)
    async with asyncio.timeout(services.limits.request_s):
        decoded = await asyncio.to_thread(decode_file, upload.file, services.limits.audio_s)
        transcript = await _recognized(services, recognizer, decoded.samples, language, hints)
    if streams:
        return await _streamed(request, transcript, decoded.seconds)
    if answers == "text":
        return web.Response(text=f"{transcript.text}\n")
    return web.json_response(_document(transcript, decoded, verbose=answers == "verbose_json"))


async def _recognized(
    services: WebServices, recognizer: Recognizer, audio: Samples, language: str, hints: tuple[str, ...]
) -> Transcript:
    """What was said. Long audio goes piece by piece and one recording at a time: speakers are served in between."""
    pieces = list(pieces_of(audio))
    if len(pieces) == 1:
        return await recognizer.recognize(audio, language=language, hints=hints, thorough=True)
    async with services.long_audio:
        heard = [await recognizer.recognize(each, language=language, hints=hints, thorough=True) for each in pieces]
    return Transcript(
        " ".join(each.text for each in heard if each.text),
        heard[0].language,
        confidence=min(each.confidence for each in heard),
        no_speech=min(each.no_speech for each in heard),
    )


async def _upload(request: web.Request, limits: WebLimits) -> Upload:
    upload = Upload(None, {})
    try:
        reader = await request.multipart()
        async for part in reader:
            if not isinstance(part, BodyPartReader) or len(upload.fields) >= MAX_FIELDS:
                raise invalid("The form has too many or nested parts.")
            if part.name == "file" and upload.file is None:
                upload.file = await _read(part, limits.upload_bytes)
            else:
                value = await _read(part, MAX_FIELD_BYTES)
                upload.fields[(part.name or "").removesuffix("[]")] = value.decode("utf-8", "replace")
    except (ValueError, AssertionError, RuntimeError):
        raise invalid("The form cannot be read.") from None
    return upload


async def _read(part: BodyPartReader, limit: int) -> bytes:
    data = bytearray()
    while piece := await part.read_chunk(READ_BYTES):
        data += piece
        if len(data) > limit:
            raise Fault(413, "request_too_large", f"{part.name} is larger than {limit} bytes.", part.name)
    return bytes(data)


def _document(transcript: Transcript, decoded: Decoded, *, verbose: bool) -> dict[str, Any]:
    usage = {"type": "duration", "seconds": round(decoded.seconds, 3)}
    if not verbose:
        return {"text": transcript.text, "usage": usage}
    segment = {"id": 0, "seek": 0, "start": 0.0, "end": round(decoded.seconds, 3), "text": transcript.text}
    segment |= {"tokens": [], "temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 1.0}
    segment["no_speech_prob"] = round(transcript.no_speech, 4)
    return {
        "task": "transcribe",
        "language": transcript.language,
        "duration": round(decoded.seconds, 3),
        "text": transcript.text,
        "segments": [segment] if transcript.text else [],
        "usage": usage,
    }


async def _streamed(request: web.Request, transcript: Transcript, seconds: float) -> web.StreamResponse:
    stream = await EventStream.open(request)
    for index, word in enumerate(transcript.text.split()):
        delta = word if index == 0 else f" {word}"
        await stream.send(json.dumps({"type": "transcript.text.delta", "delta": delta}))
    tokens = {"input_tokens": round(seconds * 10), "output_tokens": len(transcript.text.split())}
    usage = {"type": "tokens", **tokens, "total_tokens": sum(tokens.values())}
    await stream.send(json.dumps({"type": "transcript.text.done", "text": transcript.text, "usage": usage}))
    return await stream.close()
