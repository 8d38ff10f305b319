"""The small routes, the page's headers, and peers that misbehave."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from engines import Site, make_site

from entendre.web.pages import Pages
from entendre.web.server import routes


async def test_a_question_is_planned(site: Site) -> None:
    body = {"text": "what time is it", "room": "kitchen", "act": True}
    async with site.client.post(f"{site.address}/v1/ask", json=body) as answer:
        document = await answer.json()
    assert document["plan"]["reply"] == "noon"
    asked = site.questions[0]
    assert (asked.text, asked.room, asked.language, asked.act) == ("what time is it", "kitchen", "", True)


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"[" * 50_000, 413, "request_too_large"),
        (b"[" * 7_000, 400, "invalid_json"),
        (b"[]", 400, "invalid_json"),
        (b"\xff\xfe", 400, "invalid_json"),
        (b'{"text": 4}', 400, "invalid_type"),
        (b'{"text": "x", "act": "yes"}', 400, "invalid_type"),
        (b'{"text": "x\\ud800"}', 200, None),
        (b'{"text": "x", "language": "xx"}', 400, "unsupported_language"),
        (b'{"text": "x", "language": "th,zh,ta,ru"}', 400, "unsupported_language"),
        (b'{"text": "x", "language": "\\ud800"}', 400, "unsupported_language"),
        (b'{"text": "x", "language": "TH"}', 200, None),
        (b'{"text": "x", "language": "th-TH,pt_BR"}', 200, None),
        (b'{"text": "x", "language": ""}', 200, None),
    ],
)
async def test_odd_bodies(site: Site, data: bytes, status: int, code: str | None) -> None:
    headers = {"Content-Type": "application/json"}
    async with site.client.post(f"{site.address}/v1/ask", data=data, headers=headers) as answer:
        body = await answer.json()
    assert answer.status == status
    assert body.get("error", {}).get("code") == code


async def test_a_form_is_not_json(site: Site) -> None:
    """A page of another site can post a form without asking; JSON it cannot."""
    async with site.client.post(f"{site.address}/v1/ask", data={"text": "x"}) as answer:
        assert answer.status == 415


async def test_the_longest_query_that_is_described_is_read(site: Site) -> None:
    """2,000 characters of which each becomes twelve on the way."""
    async with site.client.get(f"{site.address}/v1/nothing", params={"query": "\U0001f3a7" * 2_000}) as answer:
        assert (answer.status, answer.content_type) == (404, "application/json")


async def test_unknown_routes_and_methods_answer_in_json(site: Site) -> None:
    async with site.client.get(f"{site.address}/v1/nothing") as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (404, "not_found")
    async with site.client.get(f"{site.address}/v1/ask") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
    async with site.client.get(f"{site.address}/v1/realtime") as answer:
        assert answer.status == 503


async def test_readiness_names_what_is_missing() -> None:
    site = await make_site(ready=lambda: ["recognizer"])
    try:
        async with site.client.get(f"{site.address}/readyz") as answer:
            assert (answer.status, (await answer.json())["missing"]) == (503, ["recognizer"])
    finally:
        await site.close()


async def test_the_page_may_load_nothing_from_elsewhere(site: Site) -> None:
    async with site.client.get(f"{site.address}/") as answer:
        policy, page = answer.headers["Content-Security-Policy"], await answer.text()
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert not re.search(r"https?://|<style|style=|onclick", page)
    async with site.client.get(f"{site.address}/static/../server.py") as answer:
        assert answer.status == 404
    async with site.client.get(f"{site.address}/static/talk.css") as answer:
        tag = answer.headers["ETag"]
    async with site.client.get(f"{site.address}/static/talk.css", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304


def test_every_text_of_the_page_is_in_its_language_file(repository: Path) -> None:
    folder = repository / "src/entendre/web/static"
    named = set()
    for file in folder.glob("*.*"):
        if file.suffix in (".js", ".html"):
            content = file.read_text()
            named |= set(re.findall(r'\b(?:text|notice)\("(\w+)"', content))
            named |= set(re.findall(r'data-(?:text|label|placeholder)="(\w+)"', content))
    for language in Pages().languages:
        words = (folder / f"text.{language}.json").read_text()
        assert not [name for name in named if f'"{name}":' not in words]


def test_every_route_is_documented(repository: Path) -> None:
    documented = (repository / "docs/http.md").read_text()
    missing = [route.path for route in routes(Pages()) if f"`{route.method} {route.path}`" not in documented]
    assert not missing


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00" * 50, b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100_000])
async def test_bytes_that_are_not_http_end_that_connection_only(site: Site, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(sent)
    async with asyncio.timeout(3):
        answer = await reader.read()
    writer.close()
    assert answer == b"" or b"400" in answer.split(b"\r\n")[0]
    async with site.client.get(f"{site.address}/healthz") as alive:
        assert alive.status == 200


async def test_a_connection_that_says_nothing_is_closed() -> None:
    from entendre.web.services import WebLimits

    site = await make_site(limits=WebLimits(header_s=0.3))
    try:
        for sent in (b"", b"GET / HT", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(sent)
            async with asyncio.timeout(3):
                await reader.read()
            writer.close()
    finally:
        await site.close()


async def test_a_body_that_is_not_compressed_as_it_says_is_the_clients_fault(site: Site) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with site.client.post(f"{site.address}/v1/ask", data=b"not gzip", headers=headers) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "invalid_body"


async def test_a_clients_own_key_names_the_turn(site: Site) -> None:
    for key, turn in (("a-1", "request:a-1"), (None, None)):
        headers = {"Idempotency-Key": key} if key else {}
        async with site.client.post(
            f"{site.address}/v1/ask", json={"text": "x", "act": True}, headers=headers
        ) as answer:
            assert answer.status == 200
        assert site.questions[-1].turn == turn
    for key in ("", "x" * 65, "\u00e9"):
        headers = {"Idempotency-Key": key}
        async with site.client.post(f"{site.address}/v1/ask", json={"text": "x"}, headers=headers) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["param"] == "Idempotency-Key"


async def test_problems_are_told_without_being_unready() -> None:
    site = await make_site(problems=lambda: ["MQTT broker: refused"])
    async with site.client.get(f"{site.address}/readyz") as answer:
        assert answer.status == 200
        assert await answer.json() == {"status": "ready", "problems": ["MQTT broker: refused"]}
    await site.close()
