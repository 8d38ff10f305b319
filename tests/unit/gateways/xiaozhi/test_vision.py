"""Photos: only from the device that the token was made for, only so large, and answered honestly."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from front_desk import Box, Desk

from entendre.core.errors import ConfigurationError, UnavailableError
from entendre.gateways.xiaozhi.addresses import Base
from entendre.gateways.xiaozhi.vision import MAX_IMAGE_BYTES, MAX_QUESTION_BYTES, Picture, VisionEndpoint
from entendre.gateways.xiaozhi.vision_openai import openai_vision

JPEG = b"\xff\xd8\xff\xe0" + b"photo" * 1_000


def form(question: str = "What is this?", image: bytes = JPEG) -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("question", question)
    data.add_field("file", image, filename="camera.jpg", content_type="image/jpeg")
    return data


async def token_of(desk: Desk, box: Box) -> str:
    _, record = await desk.bind(box)
    return desk.vision.offer(record, Base("127.0.0.1", desk.server.port)).token


async def upload(desk: Desk, box: Box, token: str, data: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    sent = {"Device-Id": box.mac, "Client-Id": box.client, "Authorization": f"Bearer {token}"} | headers
    url = desk.url("/xiaozhi/vision")
    async with desk.client.post(url, data=form() if data is None else data, headers=sent) as answer:
        return answer.status, await answer.json()


def seeing(desk: Desk, answer: str | Exception) -> list[Picture]:
    """Let the endpoint see; what it was shown."""
    shown: list[Picture] = []

    async def see(picture: Picture) -> str:
        shown.append(picture)
        if isinstance(answer, Exception):
            raise answer
        return answer

    desk.vision._see = see
    return shown


async def test_without_a_model_the_answer_says_so(desk: Desk, box: Box) -> None:
    status, body = await upload(desk, box, await token_of(desk, box))
    assert status == 200
    assert body["success"] is False
    assert "xiaozhi.vision_url" in body["message"]


async def test_a_model_is_shown_the_photo_and_the_question(desk: Desk, box: Box) -> None:
    shown = seeing(desk, "A cup of tea.")
    token = await token_of(desk, box)
    assert await upload(desk, box, token) == (200, {"success": True, "response": "A cup of tea."})
    assert shown == [Picture("What is this?", JPEG, "image/jpeg", None)]


async def test_chunked_uploads_of_any_size_up_to_the_limit_are_read(desk: Desk, box: Box) -> None:
    shown = seeing(desk, "yes")
    image = JPEG + b"\0" * (MAX_IMAGE_BYTES - len(JPEG))
    boundary = "----ESP32_CAMERA_BOUNDARY"

    async def pieces() -> AsyncIterator[bytes]:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="question"\r\n\r\nwhat\r\n--{boundary}\r\n'
        yield head.encode()
        yield b'Content-Disposition: form-data; name="file"; filename="camera.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
        for at in range(0, len(image), 65_536):
            yield image[at : at + 65_536]
        yield f"\r\n--{boundary}--\r\n".encode()

    token = await token_of(desk, box)
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    status, _ = await upload(desk, box, token, pieces(), **kind)
    assert status == 200
    assert (shown[0].question, len(shown[0].image)) == ("what", MAX_IMAGE_BYTES)


async def test_what_is_too_large_or_no_photo_is_refused(desk: Desk, box: Box) -> None:
    token = await token_of(desk, box)
    assert (await upload(desk, box, token, form(image=JPEG + b"\0" * MAX_IMAGE_BYTES)))[0] == 413
    assert (await upload(desk, box, token, form(question="x" * (MAX_QUESTION_BYTES + 1))))[0] == 413
    assert (await upload(desk, box, token, form(image=b"GIF89a")))[0] == 415
    assert (await upload(desk, box, token, b"{}", **{"Content-Type": "application/json"}))[0] == 400
    assert (await upload(desk, box, token, b"--x\r\nnonsense", **{"Content-Type": "multipart/form-data"}))[0] == 400


@pytest.mark.parametrize(
    "broken", [b"--x\r\nnonsense", b"--x", b"", b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\nabc"]
)
async def test_a_broken_form_is_refused_and_the_next_one_served(desk: Desk, box: Box, broken: bytes) -> None:
    token = await token_of(desk, box)
    status, _ = await upload(desk, box, token, broken, **{"Content-Type": "multipart/form-data; boundary=x"})
    assert status in (400, 415)
    assert (await upload(desk, box, token))[0] == 200


async def test_a_token_is_of_one_device_and_one_hour(desk: Desk, box: Box) -> None:
    token = await token_of(desk, box)
    other = Box(mac="02:11:22:33:44:66", client="other")
    other_token = await token_of(desk, other)
    assert (await upload(desk, other, token))[0] == 401
    assert (await upload(desk, box, other_token))[0] == 401
    assert (await upload(desk, box, token, **{"Client-Id": "other"}))[0] == 401
    assert (await upload(desk, box, ""))[0] == 401
    assert (await upload(desk, box, token[:-1]))[0] == 401
    later = token.split("_")
    later[2] = str(int(later[2]) + 1)
    assert (await upload(desk, box, "_".join(later)))[0] == 401
    assert (await upload(desk, box, token))[0] == 200
    desk.clock.now_s += 3_600
    assert (await upload(desk, box, token))[0] == 401


async def test_a_revoked_device_uploads_nothing(desk: Desk, box: Box) -> None:
    token = await token_of(desk, box)
    await desk.devices.revoke(box.mac, by="cli")
    assert (await upload(desk, box, token))[0] == 401


async def test_photos_are_bounded_in_rate(desk: Desk, box: Box) -> None:
    token = await token_of(desk, box)
    statuses = [(await upload(desk, box, token))[0] for _ in range(8)]
    assert statuses == [200] * 6 + [429] * 2


async def test_a_model_that_fails_is_no_failure_of_the_upload(desk: Desk, box: Box) -> None:
    seeing(desk, UnavailableError("The vision model can't be reached."))
    status, body = await upload(desk, box, await token_of(desk, box))
    assert (status, body) == (200, {"success": False, "message": "The vision model can't be reached."})


async def test_two_servers_do_not_take_each_others_tokens(desk: Desk, box: Box) -> None:
    _, record = await desk.bind(box)
    elsewhere = VisionEndpoint(desk.devices, b"another key", desk.clock)
    assert (await upload(desk, box, elsewhere.offer(record, Base("x", None)).token))[0] == 401


# -- the model ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def model() -> AsyncIterator[tuple[str, list[Any], list[web.Response]]]:
    """A chat endpoint: its URL, what it was asked, and what it answers next."""
    asked: list[Any] = []
    answers: list[web.Response] = []

    async def complete(request: web.Request) -> web.Response:
        asked.append((request.headers.get("Authorization"), await request.json()))
        return answers.pop(0)

    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/chat/completions", complete)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/v1")), asked, answers
    await server.close()


def said(text: Any) -> web.Response:
    return web.json_response({"choices": [{"message": {"role": "assistant", "content": text}}]})


async def test_an_openai_compatible_model_is_asked_as_its_api_says(model) -> None:
    url, asked, answers = model
    answers.append(said(" A cup. "))
    see = openai_vision(url, "qwen-vl", "secret")
    assert await see(Picture("What is this?", JPEG, "image/jpeg", "en")) == "A cup."
    key, body = asked[0]
    assert key == "Bearer secret"
    assert body["model"] == "qwen-vl"
    text, image = body["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert image["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/")


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500),
        web.Response(text="no json"),
        web.Response(text=json.dumps({"choices": []})),
        web.Response(text="x" * 400_000),
        web.Response(status=302, headers={"Location": "/elsewhere"}),
    ],
)
async def test_whatever_a_model_answers_the_device_gets_an_answer(model, answer: web.Response) -> None:
    url, _, answers = model
    answers.append(answer)
    with pytest.raises(UnavailableError):
        await openai_vision(url, "m", "")(Picture("?", JPEG, "image/jpeg", None))


async def test_a_model_that_says_nothing_or_is_not_there_is_unavailable(model) -> None:
    url, _, answers = model
    answers.append(said(None))
    with pytest.raises(UnavailableError):
        await openai_vision(url, "m", "")(Picture("?", JPEG, "image/jpeg", None))
    with pytest.raises(UnavailableError):
        await openai_vision("http://127.0.0.1:1", "m", "")(Picture("?", JPEG, "image/jpeg", None))
    with pytest.raises(ConfigurationError):
        openai_vision("localhost", "m", "")
