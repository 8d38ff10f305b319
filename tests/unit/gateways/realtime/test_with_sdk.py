"""The gateway against the unmodified `openai` SDK over a real socket, with a scripted session behind it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI
from scripted import ScriptedConversation, Served

from entendre.core.actions import CallDeviceTool, SetVolume
from entendre.core.plan import Plan
from entendre.core.understanding import Command, Completeness, Understanding
from entendre.session import api

TONE = (np.sin(np.arange(24_000) * 0.1) * 8_000).astype("<i2").tobytes()
SAID = "Turned on the light."


def base64_of(audio: bytes) -> str:
    return base64.b64encode(audio).decode()


@asynccontextmanager
async def connected(served: Served, *, beta: bool = False) -> AsyncIterator[Any]:
    address = f"127.0.0.1:{served.port}/v1"
    client = AsyncOpenAI(base_url=f"http://{address}", websocket_base_url=f"ws://{address}", api_key="any")
    realtime = client.beta.realtime if beta else client.realtime
    async with realtime.connect(model="entendre") as connection:
        yield connection
    await client.close()


async def until(connection: Any, kind: str, limit_s: float = 3.0) -> list[Any]:
    """Events up to and with the first of this kind."""
    events = []
    async with asyncio.timeout(limit_s):
        async for event in connection:
            events.append(event)
            if event.type == kind:
                return events
    raise AssertionError("the connection ended")


def kinds(events: list[Any]) -> list[str]:
    return [event.type for event in events]


async def reply(conversation: ScriptedConversation, turn: str, *, reply_id: str = "r1", end: bool = True) -> None:
    link = conversation.link
    await link.deliver(api.ReplyStarted(reply_id, turn, SAID, 24_000))
    for start in range(0, len(TONE), 9_600):
        await link.deliver(api.ReplyAudio(reply_id, TONE[start : start + 9_600]))
    if end:
        await link.deliver(api.ReplyEnded(reply_id, turn, 1.0))
        await link.deliver(api.TurnEnded(turn, api.Outcome.ANSWERED, {"commit_s": 1.0}))


async def spoken_turn(conversation: ScriptedConversation, heard_bytes: int) -> None:
    if heard_bytes < 30_000 or any(call[0] == "turn" for call in conversation.calls):
        return
    conversation.calls.append(("turn",))
    link = conversation.link
    await link.deliver(api.SpeechStarted("t1", 0.2))
    await link.deliver(api.PartialHeard("t1", "turn on"))
    await link.deliver(api.PartialHeard("t1", "turn off"))
    await link.deliver(api.PartialHeard("t1", "turn on the light"))
    await link.deliver(api.SpeechStopped("t1", 0.9))
    await link.deliver(api.TurnCommitted("t1", "turn on the light", "en"))
    command = Command("HassTurnOn", {"name": "light"}, 0.9)
    understanding = Understanding("turn on the light", "en", (command,), Completeness.COMPLETE, 0.9)
    await link.deliver(api.TurnUnderstood("t1", understanding, Plan(SAID, (SetVolume(40),))))
    await reply(conversation, "t1")


async def test_a_spoken_turn_is_told_in_the_order_of_the_protocol(served: Served) -> None:
    served.factory.on["hear"] = spoken_turn
    async with connected(served) as connection:
        created = await connection.recv()
        assert created.type == "session.created"
        assert created.session.type == "realtime"
        await connection.session.update(session={"type": "realtime", "include": ["entendre.turn"]})  # type: ignore[typeddict-item]
        await until(connection, "session.updated")
        for start in range(0, 48_000, 960):
            await connection.input_audio_buffer.append(audio=base64_of(TONE[start : start + 960]))
        events = await until(connection, "response.done")
        raw = json.loads(await connection.recv_bytes())
    assert [kind for kind in kinds(events) if not kind.endswith("output_audio.delta")] == [
        "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.delta",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.completed",
        "entendre.turn",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    deltas = [event.delta for event in events if event.type.endswith("transcription.delta")]
    assert "".join(deltas) == "turn on the light"
    started, stopped = events[0], events[3]
    assert (started.audio_start_ms, stopped.audio_end_ms) == (200, 900)
    assert len({events[0].item_id, stopped.item_id, events[4].item_id, events[5].item.id}) == 1
    audio = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.output_audio.delta")
    assert audio == TONE
    done = events[-1].response
    assert (done.status, done.output[0].content[0].transcript) == ("completed", SAID)
    assert done.usage.output_token_details.audio_tokens == 20
    assert raw["outcome"] == "answered" and raw["trace"] == {"commit_s": 1.0}
    heard = np.frombuffer(served.conversation.heard, "<i2")
    assert abs(len(heard) - 16_000) < 20 and np.abs(heard).max() > 7_000


async def test_the_older_dialect_has_its_own_names(served: Served) -> None:
    served.factory.on["hear"] = spoken_turn
    async with connected(served, beta=True) as connection:
        await connection.recv()
        await connection.session.update(session={"input_audio_format": "g711_ulaw", "output_audio_format": "g711_alaw"})
        changed = (await until(connection, "session.updated"))[-1]
        assert changed.session.input_audio_format == "g711_ulaw"
        await connection.input_audio_buffer.append(audio=base64_of(b"\x80" * 9_000))
        events = await until(connection, "response.done")
    assert "response.audio.delta" in kinds(events) and "response.audio_transcript.done" in kinds(events)
    assert "conversation.item.created" in kinds(events)
    assert not [
        kind for kind in kinds(events) if "output_audio" in kind or (kind.endswith("item.done") and "conv" in kind)
    ]
    audio = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.audio.delta")
    assert abs(len(audio) - 8_000) <= 8
    assert len(served.conversation.heard) == pytest.approx(36_000, abs=200)


async def test_speech_over_a_reply_cancels_it_and_truncation_reaches_the_session(served: Served) -> None:
    async def answer(conversation: ScriptedConversation, text: str) -> None:
        link = conversation.link
        await link.deliver(api.TurnCommitted("t1", text, "en"))
        await reply(conversation, "t1", end=False)
        await link.deliver(api.SpeechStarted("t2", 3.0))
        await link.deliver(api.ReplyEnded("r1", "t1", 0.4, interrupted=True))
        await link.deliver(api.TurnEnded("t1", api.Outcome.INTERRUPTED))

    served.factory.on["respond"] = answer
    async with connected(served) as connection:
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "light on"}]}
        )
        await connection.response.create()
        events = await until(connection, "response.done")
        item = next(event.item.id for event in events if event.type == "response.output_item.added")
        await connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=400)
        cut = (await until(connection, "conversation.item.truncated"))[-1]
        await connection.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=90_000)
        refused = (await until(connection, "error"))[-1]
    response = events[-1].response
    assert (response.status, response.status_details.reason) == ("cancelled", "turn_detected")
    assert response.output[0].status == "incomplete"
    assert kinds(events).index("input_audio_buffer.speech_started") < kinds(events).index("response.done")
    assert cut.audio_end_ms == 400
    assert ("played", "r1", 0.4) in served.conversation.calls
    assert refused.error.code == "invalid_truncation"
    assert served.conversation.calls[0] == ("respond", "light on")


async def test_push_to_talk_commits_then_asks(served: Served) -> None:
    async def stopped(conversation: ScriptedConversation) -> None:
        await asyncio.sleep(0.05)
        await conversation.link.deliver(api.SpeechStarted("t1", 0.1))
        await conversation.link.deliver(api.SpeechStopped("t1", 0.5))
        await conversation.link.deliver(api.TurnCommitted("t1", "light on", "en"))

    async def answer(conversation: ScriptedConversation, text: str | None) -> None:
        await reply(conversation, "t1")

    served.factory.on |= {"stop_listening": stopped, "respond": answer}
    async with connected(served) as connection:
        manual: Any = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        await connection.session.update(session=manual)
        await connection.input_audio_buffer.commit()
        empty = (await until(connection, "error"))[-1]
        await connection.input_audio_buffer.append(audio=base64_of(TONE))
        await connection.input_audio_buffer.commit()
        await connection.response.create()
        events = await until(connection, "response.done")
    assert empty.error.code == "input_audio_buffer_commit_empty"
    assert kinds(events)[:4] == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    completed = next(event for event in events if event.type.endswith("transcription.completed"))
    assert completed.item_id == events[0].item_id
    assert completed.usage.seconds == pytest.approx(1.0, abs=0.01)
    assert kinds(events).count("response.created") == 1
    assert served.conversation.profile.mode is api.ListenMode.MANUAL
    assert not served.conversation.profile.auto_respond
    names = [call[0] for call in served.conversation.calls]
    assert names == ["start_listening", "stop_listening", "respond"]


@pytest.mark.parametrize(
    ("output", "done"),
    [('{"ok": true}', '{"ok": true}'), ('{"error": "no such app"}', False), ("fine", "fine"), ("", "")],
)
async def test_a_clients_tool_is_called_and_its_output_ends_the_action(
    served: Served, output: str, done: bool | str
) -> None:
    results: list[bool | str] = []

    async def answer(conversation: ScriptedConversation, text: str) -> None:
        await conversation.link.deliver(api.TurnCommitted("t1", text, "en"))
        results.append(await conversation.link.perform(CallDeviceTool("open_app", '{"app":"Mail"}')))
        results.append(await conversation.link.perform(SetVolume(10)))
        await reply(conversation, "t1")

    served.factory.on["respond"] = answer
    tool: Any = {"type": "function", "name": "open_app", "parameters": {"type": "object"}, "sentences": ["open {app}"]}
    async with connected(served) as connection:
        await connection.session.update(session={"type": "realtime", "tools": [tool]})
        changed = (await until(connection, "session.updated"))[-1]
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "open mail"}]}
        )
        await connection.response.create()
        called = await until(connection, "response.done")
        call = called[-1].response.output[0]
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": output}
        )
        await connection.response.create()  # as every SDK example does; the reply comes once all the same
        rest = await until(connection, "response.done")
    assert changed.session.tools[0].name == "open_app"
    assert (call.type, call.name, call.arguments) == ("function_call", "open_app", '{"app":"Mail"}')
    assert results == [done, False]
    assert rest[-1].response.output[0].content[0].transcript == SAID
    assert "error" not in kinds(rest)
    definition = served.conversation.profile.tool_definitions[0]
    assert (definition.name, definition.sentences) == ("open_app", ("open {app}",))


async def test_written_replies_have_text_and_no_audio(served: Served) -> None:
    async def answer(conversation: ScriptedConversation, text: str) -> None:
        await conversation.link.deliver(api.TurnCommitted("t1", text, "en"))
        await reply(conversation, "t1")

    served.factory.on["respond"] = answer
    async with connected(served) as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        item: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "light on"}]}
        await connection.response.create(response={"input": [item]})
        events = await until(connection, "response.done")
    assert not any("audio" in kind for kind in kinds(events))
    assert next(e.text for e in events if e.type == "response.output_text.done") == SAID
    assert not served.conversation.profile.replies_aloud


async def test_cancelling_closes_the_response_at_once(served: Served) -> None:
    async def answer(conversation: ScriptedConversation, text: str) -> None:
        await conversation.link.deliver(api.TurnCommitted("t1", text, "en"))
        await reply(conversation, "t1", end=False)

    served.factory.on["respond"] = answer
    async with connected(served) as connection:
        await connection.response.cancel()
        nothing = (await until(connection, "error"))[-1]
        item: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "light on"}]}
        await connection.response.create(response={"input": [item]})
        await until(connection, "response.output_audio.delta")
        await connection.response.create()
        busy = (await until(connection, "error"))[-1]
        await connection.response.cancel()
        done = (await until(connection, "response.done"))[-1]
        await connection.response.create()
        failed = (await until(connection, "response.done"))[-1]
    assert nothing.error.code == "response_cancel_not_active"
    assert busy.error.code == "conversation_already_has_active_response"
    assert (done.response.status, done.response.status_details.reason) == ("cancelled", "client_cancelled")
    assert failed.response.status_details.error.code == "nothing_to_answer"
    assert ("cancel_reply",) in served.conversation.calls


async def test_items_can_be_placed_read_and_deleted(served: Served) -> None:
    async with connected(served) as connection:
        for name, previous in (("b", None), ("a", "root"), ("c", "b"), ("d", "nowhere")):
            await connection.send(
                {
                    "type": "conversation.item.create",
                    "event_id": f"make_{name}",
                    "previous_item_id": previous,
                    "item": {
                        "id": name,
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_text", "text": name}],
                    },
                }
            )
        events = await until(connection, "error")
        await connection.conversation.item.retrieve(item_id="a")
        shown = (await until(connection, "conversation.item.retrieved"))[-1]
        await connection.conversation.item.delete(item_id="a")
        await until(connection, "conversation.item.deleted")
        await connection.conversation.item.retrieve(item_id="a")
        gone = (await until(connection, "error"))[-1]
    added = {e.item.id: e.previous_item_id for e in events if e.type == "conversation.item.added"}
    assert added == {"b": None, "a": None, "c": "b"}
    assert (events[-1].error.code, events[-1].error.event_id) == ("item_not_found", "make_d")
    assert shown.item.content[0].text == "a"
    assert gone.error.code == "item_not_found"


async def test_a_failed_turn_fails_its_response(served: Served) -> None:
    async def answer(conversation: ScriptedConversation, text: str) -> None:
        await conversation.link.deliver(api.TurnCommitted("t1", text, "en"))
        await conversation.link.deliver(api.TurnFailed("t1", "synthesis_failed", "No voice."))
        await conversation.link.deliver(api.TurnEnded("t1", api.Outcome.FAILED))

    served.factory.on["respond"] = answer
    async with connected(served) as connection:
        item: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "light on"}]}
        await connection.response.create(response={"input": [item]})
        events = await until(connection, "response.done")
    assert kinds(events).count("response.done") == 1
    assert events[-1].response.status == "failed"
    assert events[-1].response.status_details.error.code == "synthesis_failed"


async def test_a_silent_plan_still_ends_with_a_response(served: Served) -> None:
    async def turn(conversation: ScriptedConversation, heard_bytes: int) -> None:
        link = conversation.link
        if heard_bytes > 1_000 and not any(call[0] == "turn" for call in conversation.calls):
            conversation.calls.append(("turn",))
            await link.deliver(api.SpeechStarted("t1", 0.0))
            await link.deliver(api.SpeechStopped("t1", 0.5))
            await link.deliver(api.TurnCommitted("t1", "stop", "en"))
            await link.deliver(api.TurnEnded("t1", api.Outcome.ANSWERED))

    served.factory.on["hear"] = turn
    async with connected(served) as connection:
        await connection.input_audio_buffer.append(audio=base64_of(TONE))
        events = await until(connection, "response.done")
    assert (events[-1].response.status, events[-1].response.output) == ("completed", [])
