"""Announcements over HTTP: what is asked for, who took it, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from engines import Site, make_site

from entendre.core.errors import OverloadedError
from entendre.web.services import SpokenNotice


class Speakers:
    """Takes notices for what is connected."""

    def __init__(self) -> None:
        self.notices: list[SpokenNotice] = []
        self.connected: list[tuple[str, str | None]] = [("one", "kitchen"), ("two", None)]
        self.full = False

    async def take(self, notice: SpokenNotice) -> list[tuple[str, str | None]]:
        if self.full:
            raise OverloadedError("Too many announcements wait on this speaker.")
        self.notices.append(notice)
        return [each for each in self.connected if notice.room in (None, each[1])]


@pytest.fixture
def speakers() -> Speakers:
    return Speakers()


@pytest.fixture
async def home(speakers: Speakers) -> AsyncIterator[Site]:
    made = await make_site(announce=speakers.take)
    yield made
    await made.close()


async def posted(site: Site, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
    async with site.client.post(f"{site.address}/v1/announcements", json=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_the_answer_names_the_speakers_that_took_it(home: Site, speakers: Speakers) -> None:
    assert await posted(home, {"text": " Dinner  is ready. "}) == (
        200,
        {"count": 2, "speakers": [{"device": "one", "room": "kitchen"}, {"device": "two", "room": None}]},
    )
    status, body = await posted(
        home,
        {"text": "Wake up", "room": "kitchen", "language": "de", "priority": "urgent", "within_s": 5},
        **{"Idempotency-Key": "a-1"},
    )
    assert (status, body["count"]) == (200, 1)
    assert speakers.notices == [
        SpokenNotice("Dinner is ready."),
        SpokenNotice("Wake up", "kitchen", None, "de", True, 5.0, "announcement:a-1"),
    ]


async def test_nobody_there_and_everybody_busy_are_told(home: Site, speakers: Speakers) -> None:
    status, body = await posted(home, {"text": "Hello", "room": "attic"})
    assert (status, body["error"]["code"], body["error"]["param"]) == (404, "no_speaker", "room")
    assert "attic" in body["error"]["message"]
    speakers.full = True
    status, body = await posted(home, {"text": "Hello"})
    assert (status, body["error"]["code"]) == (429, "overloaded")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "text"),
        ({"text": "  "}, "text"),
        ({"text": "\u200b \a"}, "text"),
        ({"text": "x" * 501}, "text"),
        ({"text": "x", "priority": "loud"}, "priority"),
        ({"text": "x", "within_s": 0}, "within_s"),
        ({"text": "x", "within_s": 1e9}, "within_s"),
        ({"text": "x", "room": 3}, "room"),
    ],
)
async def test_what_is_wrong_is_named(home: Site, speakers: Speakers, body: dict[str, Any], param: str) -> None:
    status, answer = await posted(home, body)
    assert (status, answer["error"]["param"]) == (400, param)
    assert speakers.notices == []


async def test_what_no_voice_can_say_is_refused_or_left_out(speakers: Speakers) -> None:
    site = await make_site(announce=speakers.take, voices=lambda: ("tone",))
    try:
        status, answer = await posted(site, {"text": "Essen ist fertig", "language": "de"})
        assert (status, answer["error"]["code"]) == (400, "unsupported_language")
        assert (await posted(site, {"text": "Dinner\x00 is \x1b[1mready 👨‍👩‍👧", "language": "en"}))[0] == 200
        assert [each.text for each in speakers.notices] == ["Dinner is [1mready 👨‍👩‍👧"]
    finally:
        await site.close()


async def test_announcing_needs_a_key_and_our_own_page_as_asking_does(speakers: Speakers) -> None:
    site = await make_site(announce=speakers.take, require_key=True)
    try:
        assert (await posted(site, {"text": "x"}))[0] == 401
        assert (await posted(site, {"text": "x"}, Origin="https://evil.example"))[0] == 403
        assert (await posted(site, {"text": "x"}, Authorization="Bearer ent_secret"))[0] == 200
    finally:
        await site.close()
