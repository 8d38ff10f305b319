"""The small routes: health, models, and a question in text."""

from __future__ import annotations

import asyncio

from aiohttp import web

from entendre.markets.loader import language_problem
from entendre.web.bodies import json_body, text_of
from entendre.web.faults import invalid
from entendre.web.services import SERVICES, Question
from entendre.web.standing import account_of, household_of

MAX_QUESTION_CHARS = 1_000
MAX_NAME_CHARS = 64
IDEMPOTENCY_KEY = "Idempotency-Key"
"""Source: the header of draft-ietf-httpapi-idempotency-key-header, without its quotation marks."""


async def healthz(request: web.Request) -> web.Response:
    """Whether the process answers at all."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Whether it can serve; names what it cannot, and what does not work although it serves."""
    services = request.app[SERVICES]
    missing, problems = services.ready(), services.problems()
    body: dict[str, object] = {"status": "not_ready", "missing": missing} if missing else {"status": "ready"}
    if problems:
        body["problems"] = problems
    return web.json_response(body, status=503 if missing else 200)


async def models(request: web.Request) -> web.Response:
    """What is installed, in OpenAI's shape with our `kind`."""
    services = request.app[SERVICES]
    listed = [
        {"id": name, "object": "model", "created": services.started_unix_s, "owned_by": "entendre", "kind": kind}
        for name, kind in services.models.items()
    ]
    return web.json_response({"object": "list", "data": listed})


def request_key(request: web.Request) -> str | None:
    """What the client calls a request that it may repeat. Raises: Fault."""
    key = request.headers.get(IDEMPOTENCY_KEY)
    if key is None:
        return None
    if not 0 < len(key) <= MAX_NAME_CHARS or not (key.isascii() and key.isprintable()):
        raise invalid(f"{IDEMPOTENCY_KEY} has 1 to {MAX_NAME_CHARS} printable ASCII characters.", IDEMPOTENCY_KEY)
    return key


async def ask(request: web.Request) -> web.Response:
    """Understand a sentence and plan what it asks for; `act` carries it out too."""
    services = request.app[SERVICES]
    body = await json_body(request)
    act = body.get("act", False)
    if not isinstance(act, bool):
        raise invalid("act must be a boolean.", "act", "invalid_type")
    language = text_of(body, "language", MAX_NAME_CHARS, "")
    if problem := language_problem(language):
        raise invalid(problem, "language", "unsupported_language")
    key = request_key(request)  # no turn of ours is called so
    question = Question(
        text=text_of(body, "text", MAX_QUESTION_CHARS),
        language=language,
        room=text_of(body, "room", MAX_NAME_CHARS, "") or None,
        device=text_of(body, "device", MAX_NAME_CHARS, "web"),
        act=act,
        turn=f"request:{key}" if key is not None else None,
        household=await household_of(request, body),
        account=account_of(request),
    )
    async with asyncio.timeout(services.limits.request_s):
        return web.json_response(dict(await services.ask(question)))
