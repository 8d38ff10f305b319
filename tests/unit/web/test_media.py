"""Media over HTTP: what is told to whom, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from engines import make_site

from entendre.web.services import MediaRequest


async def posted(body: dict[str, Any]) -> tuple[int, dict[str, Any], list[MediaRequest]]:
    wanted: list[MediaRequest] = []

    async def take(request: MediaRequest) -> list[tuple[str, str | None]] | None:
        wanted.append(request)
        if request.station == "unknown":
            return None
        return [("one", "kitchen")] if request.room in (None, "kitchen") else []

    site = await make_site(control_media=take)
    try:
        async with site.client.post(f"{site.address}/v1/media", json=body) as answer:
            return answer.status, await answer.json(), wanted
    finally:
        await site.close()


async def test_speakers_are_told() -> None:
    for body, expected in (
        ({"station": "Jazz FM", "room": "kitchen"}, MediaRequest("play", "Jazz FM", None, "kitchen")),
        ({"url": "http://x/y.mp3", "device": "one"}, MediaRequest("play", None, "http://x/y.mp3", None, "one")),
        ({"command": "stop"}, MediaRequest("stop")),
    ):
        status, answer, wanted = await posted(body)
        assert (status, answer) == (200, {"count": 1, "speakers": [{"device": "one", "room": "kitchen"}]})
        assert wanted == [expected]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "missing_required_parameter"),
        ({"station": "a", "url": "http://b"}, 400, "missing_required_parameter"),
        ({"url": "file:///etc/passwd"}, 400, "invalid_value"),
        ({"url": "http://"}, 400, "invalid_value"),
        ({"url": "http://[::1"}, 400, "invalid_value"),
        ({"command": "dance"}, 400, "invalid_value"),
        ({"command": 3}, 400, "invalid_type"),
        ({"station": "unknown"}, 404, "unknown_station"),
        ({"station": "a", "room": "attic"}, 404, "no_speaker"),
    ],
)
async def test_what_is_wrong_is_named(body: dict[str, Any], status: int, code: str) -> None:
    answered, answer, _ = await posted(body)
    assert (answered, answer["error"]["code"]) == (status, code)
