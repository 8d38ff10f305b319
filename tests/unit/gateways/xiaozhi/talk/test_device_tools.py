"""A device's tools in virtual time: what is learnt of its volume, what it answers, and what if it does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("opuslib_next")

from channels import Scene, scene
from parts import Stage

from entendre.core.actions import AdjustVolume, CallDeviceTool, ControlMedia, SetMuted, SetVolume, StopSpeaking
from entendre.core.plan import Plan
from entendre.core.understanding import Completeness as C
from entendre.gateways.xiaozhi.settings import XiaozhiSettings
from entendre.wire import xiaozhi_messages as wire

VOLUME, STATUS, CAMERA = "self.audio_speaker.set_volume", "self.get_device_status", "self.camera.take_photo"
MCP = wire.Hello(features=wire.Features(mcp=True))


class ToolServer:
    """Answers what it has, after a while; `None` is never answered."""

    def __init__(self, at: Scene, answers: dict[str, Callable[[dict[str, Any]], Any] | None], after_s: float = 0.1):
        self.at, self.answers, self.after_s = at, answers, after_s
        self.called: list[tuple[str, dict[str, Any]]] = []
        at.device.on_text = self.asked

    def asked(self, message: dict[str, Any]) -> None:
        if message["type"] == "mcp" and "id" in message["payload"]:
            asyncio.get_running_loop().call_later(self.after_s, self.answer, message["payload"])

    def answer(self, request: dict[str, Any]) -> None:
        result: dict[str, Any] = {}
        if request["method"] == "tools/list":
            schema = {"type": "object", "properties": {}}
            result = {"tools": [{"name": name, "description": name, "inputSchema": schema} for name in self.answers]}
        elif request["method"] == "tools/call":
            name, arguments = request["params"]["name"], request["params"]["arguments"]
            self.called.append((name, arguments))
            answer = self.answers[name]
            if answer is None:
                return
            text = answer(arguments)
            result = {"content": [{"type": "text", "text": str(text)}], "isError": text is False}
        payload = {"jsonrpc": "2.0", "id": request["id"], "result": result}
        self.at.tell(json.dumps({"type": "mcp", "payload": payload}))


async def test_the_volume_is_learnt_and_every_change_of_it_is_one_call() -> None:
    volume = 50

    def change(arguments: dict[str, Any]) -> str:
        nonlocal volume
        volume = arguments["volume"]
        return "true"

    async with scene(Stage({}), hello=MCP) as at:
        server = ToolServer(at, {STATUS: lambda _: json.dumps({"audio_speaker": {"volume": volume}}), VOLUME: change})
        await asyncio.sleep(1)
        assert at.talk.dialogue.profile.volume == 50
        assert await at.talk.perform(AdjustVolume(15)) is True
        volume = 20  # by its own buttons
        assert await at.talk.perform(AdjustVolume(-50)) is True
        assert await at.talk.perform(SetVolume(130)) is True
        assert await at.talk.perform(SetMuted(True)) is True
        assert await at.talk.perform(SetMuted(False)) is True
        assert await at.talk.perform(SetMuted(False)) is True
        assert await at.talk.perform(SetMuted(True)) is True
        assert await at.talk.perform(AdjustVolume(-10)) is True
    changes = [arguments["volume"] for name, arguments in server.called if name == VOLUME]
    assert changes == [65, 0, 100, 0, 100, 0, 90]


async def test_a_tools_answer_is_a_text_and_its_refusal_a_failure() -> None:
    def refuse(arguments: dict[str, Any]) -> bool:
        return False

    async with scene(Stage({}), hello=MCP) as at:
        ToolServer(at, {CAMERA: lambda arguments: f"A cat, asked {arguments['question']}", "self.led": refuse})
        await asyncio.sleep(1)
        assert at.talk.dialogue.profile.tools == ("self_camera_take_photo", "self_led")
        photo = CallDeviceTool("self_camera_take_photo", '{"question":"what is it"}')
        assert await at.talk.perform(photo) == "A cat, asked what is it"
        for refused in (
            CallDeviceTool("self_led", "{}"),
            CallDeviceTool("self_led", "no json"),
            CallDeviceTool("self_led", "[1]"),
            CallDeviceTool("self_reboot", "{}"),
            CallDeviceTool("self.camera.take_photo", "{}"),
            SetVolume(10),
            ControlMedia("play", "jazz"),
        ):
            assert await at.talk.perform(refused) is False
        assert await at.talk.perform(StopSpeaking()) is True


@pytest.mark.parametrize(("name", "alias", "limit_s"), [("self.led", "self_led", 10), (CAMERA, "", 30)])
async def test_a_tool_that_never_answers_is_given_up_in_time(name: str, alias: str, limit_s: float) -> None:
    async with scene(Stage({}), XiaozhiSettings(idle_s=60), MCP) as at:
        ToolServer(at, {name: None})
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        assert await at.talk.perform(CallDeviceTool(alias or "self_camera_take_photo", "{}")) is False
        assert asyncio.get_running_loop().time() - began == pytest.approx(limit_s, abs=0.6)


async def test_a_volume_that_can_not_be_set_is_said_and_told_to_stop_once() -> None:
    made = Stage({"louder": (C.COMPLETE, Plan("Louder.", (AdjustVolume(10),)))})
    async with scene(made, hello=MCP) as at:
        ToolServer(at, {VOLUME: None})
        await asyncio.sleep(1)
        at.detect("louder")
        await at.device.until("tts stop")
        await asyncio.sleep(1)
    said = [each["text"] for each in at.device.texts("tts sentence_start")]
    assert said == ["Louder.", "phrase action_failed"]
    assert at.device.steps().count("tts stop") == at.device.steps().count("tts start") == 1


async def test_a_device_that_leaves_while_a_tool_runs_fails_the_call() -> None:
    async with scene(Stage({}), hello=MCP) as at:
        ToolServer(at, {"self.led": None})
        await asyncio.sleep(1)
        call = asyncio.create_task(at.talk.perform(CallDeviceTool("self_led", "{}")))
        await asyncio.sleep(0.5)
        at.tell('{"type":"goodbye"}')
        assert await call is False
        assert await at.task == "closed"
