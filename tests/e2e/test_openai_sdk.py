"""`entendre serve` against the unmodified `openai` SDK, with recordings at the speed they were made."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import soundfile
from aiohttp import ClientSession, WSMsgType
from openai import AsyncOpenAI
from talking import (
    PCM_24KHZ,
    ULAW,
    Server,
    audio_of,
    microphone,
    person,
    recording,
    running_server,
    silence,
    until,
    words,
)

from entendre.core.audio import AudioFormat, Encoding
from entendre.wire.g711 import decode

pytestmark = [pytest.mark.e2e, pytest.mark.speech]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, speech_data: Path) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("sdk")) as started:
        yield started


@pytest.fixture
async def sdk(server: Server) -> AsyncIterator[AsyncOpenAI]:
    address = f"{server.address}/v1"
    client = AsyncOpenAI(base_url=f"http://{address}", websocket_base_url=f"ws://{address}", api_key="none")
    yield client
    await client.close()


@asynccontextmanager
async def connected(sdk: AsyncOpenAI, **session: Any) -> AsyncIterator[Any]:
    async with sdk.realtime.connect(model="entendre") as connection:
        await connection.session.update(session={"type": "realtime", **session})  # type: ignore[typeddict-item]
        await until(connection, "session.updated")
        yield connection


def listening(turn_detection: Any, audio_format: Any = None) -> dict[str, Any]:
    heard: dict[str, Any] = {"turn_detection": turn_detection}
    if audio_format:
        return {"input": {**heard, "format": audio_format}, "output": {"format": audio_format}}
    return {"input": heard}


def transcript(events: list[Any]) -> str:
    return next(e.transcript for e in events if e.type == "conversation.item.input_audio_transcription.completed")


def said(events: list[Any]) -> str:
    return next(e.transcript for e in events if e.type == "response.output_audio_transcript.done")


def reply_audio(events: list[Any]) -> bytes:
    return b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta")


async def heard_again(sdk: AsyncOpenAI, audio: bytes, audio_format: AudioFormat) -> list[str]:
    """What the reply's audio says, by the server's own recognizer."""
    file = io.BytesIO()
    soundfile.write(file, decode(audio, audio_format.encoding), audio_format.rate_hz, format="WAV")
    answer = await sdk.audio.transcriptions.create(model="entendre", file=("reply.wav", file.getvalue()))
    return words(answer.text)


def overlap(one: list[str], other: list[str]) -> float:
    return len(set(one) & set(other)) / max(1, len(set(one)))


@pytest.mark.parametrize(
    "turn_detection", [{"type": "semantic_vad"}, {"type": "server_vad", "silence_duration_ms": 400}], ids=["sem", "vad"]
)
async def test_a_spoken_question_is_heard_and_answered_aloud(
    sdk: AsyncOpenAI, speech_data: Path, turn_detection: Any
) -> None:
    path = recording(speech_data, "what is seventeen times twenty three")
    async with connected(sdk, audio=listening(turn_detection)) as connection, microphone(connection, path):
        events = await until(connection, "response.done")
    kinds = [event.type for event in events]
    assert kinds.index("input_audio_buffer.speech_started") < kinds.index("input_audio_buffer.speech_stopped")
    assert overlap(["times"], words(transcript(events))) == 1.0
    assert "391" in said(events)
    assert events[-1].response.status == "completed"
    audio = reply_audio(events)
    assert len(audio) > PCM_24KHZ.byte_count(0.5)
    assert "391" in "".join(await heard_again(sdk, audio, PCM_24KHZ))


@pytest.mark.parametrize("text", ["turn off all of the lights in the Office", "set a timer for 3 hours and 10 minutes"])
async def test_a_persons_voice_is_understood(sdk: AsyncOpenAI, speech_data: Path, text: str) -> None:
    async with (
        connected(sdk, include=["entendre.turn"]) as connection,
        microphone(connection, person(speech_data, text)),
    ):
        events = await until(connection, "response.done")
    assert overlap(words(text), words(transcript(events))) >= 0.7
    understood = next(event for event in events if event.type == "entendre.turn").to_dict()
    assert understood["stage"] == "understood" and understood["language"] == "en"
    assert said(events)


async def test_push_to_talk(sdk: AsyncOpenAI, speech_data: Path) -> None:
    audio = audio_of(recording(speech_data, "what time is it in tokyo"), PCM_24KHZ)
    async with connected(sdk, audio=listening(None)) as connection:
        for _ in range(2):
            await connection.input_audio_buffer.append(audio=base64.b64encode(audio).decode())
            await connection.input_audio_buffer.commit()
            await connection.response.create()
            events = await until(connection, "response.done")
            assert "tokyo" in words(transcript(events))
            assert "tokyo" in words(said(events))
            assert events[-1].response.status == "completed"


async def test_typed_text_is_answered_in_text(sdk: AsyncOpenAI) -> None:
    async with connected(sdk, output_modalities=["text"]) as connection:
        content: Any = [{"type": "input_text", "text": "what is twelve times twelve"}]
        await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await connection.response.create()
        events = await until(connection, "response.done")
    assert "144" in next(event.text for event in events if event.type == "response.output_text.done")
    assert not [event for event in events if "output_audio" in event.type]


async def test_speaking_over_the_reply_stops_it(sdk: AsyncOpenAI, speech_data: Path) -> None:
    path = recording(speech_data, "what time is it in tokyo")
    async with connected(sdk) as connection:
        content: Any = [{"type": "input_text", "text": "what can you do"}]
        await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await connection.response.create()
        await until(connection, "response.output_audio.delta")
        async with microphone(connection, path):
            interrupted = await until(connection, "response.done")
            started_s = time.monotonic()
            item = interrupted[-1].response.output[0]
            await connection.conversation.item.truncate(item_id=item.id, content_index=0, audio_end_ms=300)
            answered = await until(connection, "response.done")
    response = interrupted[-1].response
    assert (response.status, response.status_details.reason) == ("cancelled", "turn_detected")
    assert "input_audio_buffer.speech_started" in [event.type for event in interrupted + answered]
    assert "conversation.item.truncated" in [event.type for event in answered]
    assert "tokyo" in words(said(answered))
    assert time.monotonic() - started_s < 15


async def test_a_reply_can_be_cancelled(sdk: AsyncOpenAI) -> None:
    async with connected(sdk) as connection:
        content: Any = [{"type": "input_text", "text": "what can you do"}]
        await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await connection.response.create()
        await until(connection, "response.output_audio.delta")
        await connection.response.cancel()
        done = (await until(connection, "response.done"))[-1]
        assert done.response.status_details.reason == "client_cancelled"
        content[0]["text"] = "what is two plus two"
        await connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await connection.response.create()
        events = await until(connection, "response.done")
    assert events[-1].response.status == "completed" and said(events)


async def test_the_speakers_volume_is_a_function_of_the_client(sdk: AsyncOpenAI, speech_data: Path) -> None:
    tool: Any = {"type": "function", "name": "set_volume", "parameters": {"type": "object"}}
    path = recording(speech_data, "set the volume to fifty percent")
    async with connected(sdk, tools=[tool]) as connection, microphone(connection, path):
        events = await until(connection, "response.function_call_arguments.done")
        call = events[-1]
        assert (call.name, json.loads(call.arguments)) == ("set_volume", {"percent": 50})
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": '{"ok": true}'}
        )
        await until(connection, "response.done")
        events = await until(connection, "response.done")
    assert events[-1].response.status == "completed" and "50" in said(events)


async def test_a_tool_with_sentences_is_called_by_voice(sdk: AsyncOpenAI, speech_data: Path) -> None:
    tool: Any = {"type": "function", "name": "dial", "sentences": ["call the {place}"]}
    path = recording(speech_data, "call the office")
    async with connected(sdk, tools=[tool]) as connection, microphone(connection, path):
        events = await until(connection, "response.function_call_arguments.done")
        assert (events[-1].name, json.loads(events[-1].arguments)) == ("dial", {"place": "office"})
        item: Any = {"type": "function_call_output", "call_id": events[-1].call_id, "output": '{"error": "none left"}'}
        await connection.conversation.item.create(item=item)
        await until(connection, "response.done")
        events = await until(connection, "response.done")
    assert "sorry" in words(said(events))  # the failure is said aloud


async def test_telephone_audio_both_ways(sdk: AsyncOpenAI, speech_data: Path) -> None:
    audio = listening({"type": "semantic_vad"}, {"type": "audio/pcmu"})
    path = recording(speech_data, "what is seventeen times twenty three")
    async with connected(sdk, audio=audio) as connection, microphone(connection, path, ULAW):
        events = await until(connection, "response.done")
    assert "391" in said(events)
    back = reply_audio(events)
    assert len(back) > ULAW.byte_count(0.5)
    assert "391" in "".join(await heard_again(sdk, back, ULAW))


async def test_the_older_dialect_talks_too(sdk: AsyncOpenAI, speech_data: Path) -> None:
    path = recording(speech_data, "what time is it in tokyo")
    alaw = AudioFormat(8_000, encoding=Encoding.ALAW)
    async with sdk.beta.realtime.connect(model="entendre") as connection:
        await connection.session.update(session={"input_audio_format": "g711_alaw"})
        async with microphone(connection, path, alaw):
            events = await until(connection, "response.done")
    assert "tokyo" in words(transcript(events))
    assert [event for event in events if event.type == "response.audio.delta"]


async def test_a_mistake_is_told_and_the_conversation_goes_on(sdk: AsyncOpenAI) -> None:
    async with connected(sdk) as connection:
        await connection.send({"type": "no.such.event", "event_id": "mine"})
        error = (await until(connection, "error"))[-1].error
        assert (error.type, error.event_id) == ("invalid_request_error", "mine")
        await connection.session.update(session={"type": "realtime", "audio": {"output": {"speed": 9}}})
        assert (await until(connection, "error"))[-1].error.param == "session.audio.output.speed"
        await connection.session.update(session={"type": "realtime", "audio": {"output": {"speed": 1.2}}})
        assert (await until(connection, "session.updated"))[-1].session.audio.output.speed == 1.2


async def test_what_is_spoken_can_be_transcribed(sdk: AsyncOpenAI) -> None:
    text = "The kitchen light is on, and the front door is locked."
    audio = b""
    async with sdk.audio.speech.with_streaming_response.create(
        model="entendre", voice="default", input=text, response_format="wav"
    ) as answer:
        async for piece in answer.iter_bytes():
            audio += piece
    stream = await sdk.audio.transcriptions.create(model="entendre", file=("x.wav", audio), stream=True)
    events = [event async for event in stream]
    assert overlap(words(text), words(events[-1].text)) >= 0.8  # type: ignore[union-attr]


@pytest.mark.parametrize("sent", ["random", "binary", "huge", "half_closed", "not_json", "deep"])
async def test_a_broken_client_ends_its_own_connection_only(server: Server, sdk: AsyncOpenAI, sent: str) -> None:
    address = f"http://{server.address}/v1/realtime"
    async with connected(sdk) as good, ClientSession() as client:
        async with client.ws_connect(address, max_msg_size=0) as bad:
            await bad.receive()
            match sent:
                case "random":
                    bad._writer.transport.write(os.urandom(65_536))  # type: ignore[union-attr]
                case "binary":
                    await bad.send_bytes(os.urandom(1_000))
                case "huge":
                    with contextlib.suppress(ConnectionError):  # it is cut off while it still sends
                        await bad.send_str("x" * (5 * 1024 * 1024))
                case "half_closed":
                    bad._writer.transport.write_eof()  # type: ignore[union-attr]
                case "not_json":
                    await bad.send_str("{")
                case "deep":
                    await bad.send_str('{"type":' + "[" * 100_000)
            async with asyncio.timeout(5):
                while (message := await bad.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
                    assert json.loads(message.data)["type"] == "error"
        await good.input_audio_buffer.append(audio=base64.b64encode(silence(0.1, PCM_24KHZ)).decode())
        await good.input_audio_buffer.clear()
        await until(good, "input_audio_buffer.cleared")
    assert "Traceback" not in server.log
