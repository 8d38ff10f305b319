"""A vision model behind an OpenAI-compatible chat endpoint."""

from __future__ import annotations

import base64
import json

import aiohttp

from entendre.core.errors import ConfigurationError, UnavailableError
from entendre.gateways.xiaozhi.vision import Picture, Vision

MAX_ANSWER_BYTES = 256 * 1024
MAX_ANSWER_CHARS = 2_000
MAX_TOKENS = 300
TIMEOUT_S = 25.0


def openai_vision(url: str, model: str, key: str) -> Vision:
    """Ask `<url>/chat/completions`. Raises: ConfigurationError."""
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError("xiaozhi.vision_url is http:// or https://, up to and without /chat/completions.")
    endpoint = f"{url.rstrip('/')}/chat/completions"
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def see(picture: Picture) -> str:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
                session.post(endpoint, json=_question(picture, model), allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise UnavailableError("The vision model refused.", detail=f"status {answer.status}")
                return _text(await _bounded(answer.content))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError("The vision model can't be reached.", detail=str(error)) from error

    return see


def _question(picture: Picture, model: str) -> dict[str, object]:
    image = f"data:{picture.media_type};base64,{base64.b64encode(picture.image).decode()}"
    content = [
        {"type": "text", "text": picture.question},
        {"type": "image_url", "image_url": {"url": image}},
    ]
    return {"model": model, "max_tokens": MAX_TOKENS, "messages": [{"role": "user", "content": content}]}


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """An answer, as much of it as is worth reading."""
    data = bytearray()
    async for piece in content.iter_any():
        data += piece
        if len(data) > MAX_ANSWER_BYTES:
            raise UnavailableError("The vision model's answer is too long.")
    return bytes(data)


def _text(body: bytes) -> str:
    """The answer's text. Raises: UnavailableError."""
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnavailableError("The vision model's answer can't be read.") from error
    if not isinstance(text, str) or not text.strip():
        raise UnavailableError("The vision model said nothing.")
    return text.strip()[:MAX_ANSWER_CHARS]
