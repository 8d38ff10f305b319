"""JSON bodies, bounded and typed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import web

from entendre.web.faults import Fault, invalid
from entendre.web.services import SERVICES


async def json_body(request: web.Request) -> dict[str, Any]:
    """The request's JSON object. Raises: Fault."""
    limits = request.app[SERVICES].limits
    if request.content_type != "application/json":
        raise Fault(415, "unsupported_media_type", "Send JSON with Content-Type: application/json.")
    data = bytearray()
    async with asyncio.timeout(limits.upload_s):
        async for piece in request.content.iter_any():
            data += piece
            if len(data) > limits.body_bytes:
                raise Fault(413, "request_too_large", f"The body is larger than {limits.body_bytes} bytes.")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise invalid("The body is not valid JSON.", code="invalid_json") from None
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object.", code="invalid_json")
    return body


def text_of(body: dict[str, Any], name: str, limit: int, default: str | None = None) -> str:
    """A string of at most `limit` characters; required unless there is a default. Raises: Fault."""
    value = body.get(name)
    if value is None and default is not None:
        return default
    if value is None:
        raise invalid(f"Missing required parameter: '{name}'.", name, "missing_required_parameter")
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string.", name, "invalid_type")
    if len(value) > limit:
        raise invalid(f"{name} is longer than {limit} characters.", name, "string_above_max_length")
    return value.encode("utf-8", "replace").decode("utf-8")


def number(body: dict[str, Any], name: str, low: float, high: float, default: float) -> float:
    """A number within bounds. Raises: Fault."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{name} must be a number.", name, "invalid_type")
    if not low <= value <= high:
        raise invalid(f"{name} must be from {low:g} to {high:g}.", name)
    return float(value)
