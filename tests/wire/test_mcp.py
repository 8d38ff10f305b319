"""The client of a device's tools: pages, deadlines, one call at a time, and what a language model never sees."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entendre.wire import mcp, mcp_tools
from entendre.wire.mcp import (
    CAMERA_TOOL,
    MAX_PAGES,
    MAX_TOOLS,
    MAX_WAITING_CALLS,
    CallFinished,
    McpClient,
    McpOutput,
    McpUnavailable,
    SendPayload,
    ServerKnown,
    ToolsListed,
    Vision,
)
from entendre.wire.mcp_content import CallResult, ToolImage, read_result
from entendre.wire.mcp_tools import (
    MAX_SCHEMA_BYTES,
    USER_ONLY_TOOLS,
    DeviceTool,
    ToolAliases,
    is_user_only,
    read_tools,
)

VOLUME = {
    "name": "self.audio_speaker.set_volume",
    "description": "Set the volume.",
    "inputSchema": {
        "type": "object",
        "properties": {"volume": {"type": "integer", "minimum": 0, "maximum": 100}},
        "required": ["volume"],
    },
}
STATUS = {
    "name": "self.get_device_status",
    "description": "Status.",
    "inputSchema": {"type": "object", "properties": {}},
}
REBOOT = {"name": "self.reboot", "description": "Restarts.", "annotations": {"audience": ["user"]}}
INTRODUCTION = {
    "protocolVersion": "2024-11-05",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "esp-box-3", "version": "2.4.2"},
}


def answer(number: int, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def sent(outputs: list[McpOutput]) -> list[dict[str, Any]]:
    return [output.payload for output in outputs if isinstance(output, SendPayload)]


def ready_client(*tools: dict[str, Any]) -> McpClient:
    client = McpClient(Vision())
    client.start(0.0)
    client.receive(answer(1, INTRODUCTION), 0.1)
    client.receive(answer(2, {"tools": list(tools or (VOLUME, STATUS))}), 0.2)
    assert client.ready
    return client


def test_a_device_is_asked_and_its_tools_are_listed_page_by_page() -> None:
    client = McpClient(Vision("https://voice.example.org/vision", "v_1"), "ours", "0.1")
    assert client.start(0.0) == [
        SendPayload(
            {
                "jsonrpc": "2.0",
                "id": 1,
                "method": "initialize",
                "params": {
                    "protocolVersion": "2024-11-05",
                    "capabilities": {"vision": {"url": "https://voice.example.org/vision", "token": "v_1"}},
                    "clientInfo": {"name": "ours", "version": "0.1"},
                },
            }
        )
    ]
    assert (client.deadline_s, client.ready, client.tools) == (10.0, False, ())
    ask = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {"cursor": "", "withUserTools": False}}
    assert client.receive(answer(1, INTRODUCTION), 0.1) == [
        ServerKnown("esp-box-3", "2.4.2"),
        SendPayload({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        SendPayload(ask),
    ]
    again = client.receive(answer(2, {"tools": [VOLUME], "nextCursor": "self.get_device_status"}), 0.2)
    assert sent(again) == [ask | {"id": 3, "params": {"cursor": "self.get_device_status", "withUserTools": False}}]
    listed = client.receive(answer(3, {"tools": [STATUS], "nextCursor": ""}), 0.3)
    assert listed == [ToolsListed(client.tools)]
    assert [tool.name for tool in client.tools] == [VOLUME["name"], STATUS["name"]]
    assert client.tools[0].schema == VOLUME["inputSchema"]
    assert client.deadline_s is None


def test_calls_run_one_at_a_time_in_order() -> None:
    client = ready_client()
    first = client.call("a", "self.audio_speaker.set_volume", {"volume": 40}, 1.0)
    assert sent(first) == [
        {
            "jsonrpc": "2.0",
            "id": 3,
            "method": "tools/call",
            "params": {"name": "self.audio_speaker.set_volume", "arguments": {"volume": 40}},
        }
    ]
    assert client.deadline_s == 11.0
    assert client.call("b", "self.get_device_status", {}, 1.1) == []
    true = {"content": [{"type": "text", "text": "true"}], "isError": False}
    done = client.receive(answer(3, true), 2.0)
    assert done[0] == CallFinished("a", CallResult("true"))
    assert sent(done)[0]["id"] == 4
    assert client.deadline_s == 12.0
    assert client.receive(answer(4, true), 2.1) == [CallFinished("b", CallResult("true"))]
    assert client.deadline_s is None


def test_an_overdue_call_is_given_up_and_its_late_answer_ignored() -> None:
    client = ready_client()
    client.call("a", CAMERA_TOOL, {"question": "?"}, 1.0)
    client.call("b", "self.get_device_status", {}, 1.0, timeout_s=3.0)
    assert client.deadline_s == 31.0
    assert client.tick(30.9) == []
    late = client.tick(31.0)
    assert late[0] == CallFinished("a", CallResult(code="timeout"))
    assert not late[0].result.ok
    assert client.deadline_s == 34.0
    assert client.receive(answer(3, {"content": []}), 31.5) == []
    assert client.receive(answer(4, {"content": []}), 31.6) == [CallFinished("b", CallResult())]
    assert client.tick(99.0) == []


@pytest.mark.parametrize("silent_at", ["initialize", "tools/list"])
def test_a_device_that_never_answers_has_no_tools(silent_at: str) -> None:
    client = McpClient(Vision())
    client.start(0.0)
    if silent_at == "tools/list":
        client.receive(answer(1, INTRODUCTION), 0.0)
    assert client.tick(10.0) == [McpUnavailable("timeout")]
    assert not client.ready
    assert client.call("a", "self.x", {}, 11.0) == [CallFinished("a", CallResult(code="unavailable"))]


def test_pages_that_were_told_stay_when_the_next_never_comes() -> None:
    client = McpClient(Vision())
    client.start(0.0)
    client.receive(answer(1, INTRODUCTION), 0.0)
    client.receive(answer(2, {"tools": [VOLUME], "nextCursor": "x"}), 0.0)
    assert client.tick(10.0) == [ToolsListed(client.tools)]
    assert len(client.tools) == 1


def test_a_refused_introduction_ends_it() -> None:
    client = McpClient(Vision())
    client.start(0.0)
    assert client.receive({"jsonrpc": "2.0", "id": 1, "error": {"message": "no"}}, 0.1) == [McpUnavailable("refused")]


def test_a_reconnection_starts_anew_and_fails_what_was_under_way() -> None:
    client = ready_client()
    client.call("a", "self.get_device_status", {}, 1.0)
    client.call("b", "self.get_device_status", {}, 1.0)
    outputs = client.start(2.0)
    gone = CallResult(code="unavailable")
    assert outputs[:2] == [CallFinished("a", gone), CallFinished("b", gone)]
    assert sent(outputs)[0]["method"] == "initialize"
    assert client.tools == ()
    assert client.stop() == []
    assert client.deadline_s is None


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"jsonrpc": "2.0", "id": 99, "result": {}},
        {"jsonrpc": "2.0", "id": True, "result": {}},
        {"jsonrpc": "2.0", "id": "x", "result": {}},
        {"jsonrpc": "2.0", "method": "notifications/progress"},
        {"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage"},
    ],
)
def test_what_was_not_asked_for_is_ignored(payload: dict[str, Any]) -> None:
    client = McpClient(Vision())
    assert client.receive(payload, 0.0) == []
    client.start(0.0)
    assert client.receive(payload, 0.0) == []
    assert client.deadline_s == 10.0


def test_an_id_as_text_is_still_ours() -> None:
    client = McpClient(Vision())
    client.start(0.0)
    assert client.receive({"id": "1", "result": INTRODUCTION}, 0.0)[0] == ServerKnown("esp-box-3", "2.4.2")


def test_ids_are_numbers_that_wrap_before_32_bits() -> None:
    client = ready_client()
    client._last_id = mcp.MAX_ID
    assert sent(client.call("a", "self.get_device_status", {}, 0.0))[0]["id"] == 1


def test_a_device_that_lists_for_ever_is_cut_off() -> None:
    client = McpClient(Vision())
    client.start(0.0)
    outputs = client.receive(answer(1, INTRODUCTION), 0.0)
    pages = 0
    while not client.ready:
        pages += 1
        number = sent(outputs)[-1]["id"]
        tools = [{"name": f"self.t{pages}"}]
        outputs = client.receive(answer(number, {"tools": tools, "nextCursor": "more"}), 0.0)
    assert pages == MAX_PAGES
    same = McpClient(Vision())
    same.start(0.0)
    same.receive(answer(1, INTRODUCTION), 0.0)
    same.receive(answer(2, {"tools": [VOLUME], "nextCursor": "a"}), 0.0)
    assert same.receive(answer(3, {"tools": [VOLUME], "nextCursor": "a"}), 0.0) == [ToolsListed(same.tools)]


def test_tools_are_bounded_in_number_and_size() -> None:
    many = ready_client(*({"name": f"self.t{at}"} for at in range(MAX_TOOLS + 40)))
    assert len(many.tools) == MAX_TOOLS
    large = {"type": "object", "properties": {"p": {"description": "x" * (MAX_SCHEMA_BYTES - 100)}}}
    heavy = ready_client(*({"name": f"self.t{at}", "inputSchema": large} for at in range(MAX_TOOLS)))
    assert sum(tool.size_bytes for tool in heavy.tools) <= mcp.MAX_TOOLS_BYTES
    assert 20 < len(heavy.tools) < MAX_TOOLS
    too_large = {"type": "object", "properties": {"p": {"description": "x" * MAX_SCHEMA_BYTES}}}
    assert read_tools({"tools": [{"name": "a", "inputSchema": too_large}]}, 9, 9_000)[0].schema["properties"] == {}


def test_waiting_calls_are_bounded() -> None:
    client = ready_client()
    for at in range(MAX_WAITING_CALLS + 1):
        assert not any(isinstance(each, CallFinished) for each in client.call(str(at), "self.get_device_status", {}, 0))
    refused = client.call("more", "self.get_device_status", {}, 0.0)
    assert refused == [CallFinished("more", CallResult(code="overloaded"))]


@pytest.mark.parametrize(
    "name",
    [
        *sorted(USER_ONLY_TOOLS),
        "self.screen.get_info",
        "self.screen.snapshot",
        "self.screen.preview_image",
        "Self.Reboot ",
    ],
)
def test_the_owners_tools_never_reach_a_language_model(name: str) -> None:
    assert is_user_only(name)
    client = ready_client(VOLUME, {"name": name, "inputSchema": {"type": "object", "properties": {}}})
    assert [tool.name for tool in client.tools] == [VOLUME["name"]]
    assert client.call("a", name, {}, 0.0) == [CallFinished("a", CallResult(code="not_allowed"))]
    assert sent(client.call("b", name, {}, 0.0, by_owner=True))[0]["params"]["name"] == name


@pytest.mark.parametrize(
    ("annotations", "hidden"),
    [
        ({"audience": ["user"]}, True),
        ({"audience": "user"}, True),
        ({"audience": ["user", "assistant"]}, False),
        ({"audience": ["assistant"]}, False),
        ({"audience": 5}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_tool_that_says_so_is_its_owners(annotations: dict[str, Any] | None, hidden: bool) -> None:
    assert is_user_only("self.lamp.blink", annotations) is hidden
    client = ready_client({"name": "self.lamp.blink", "annotations": annotations})
    assert client.tools == (() if hidden else (DeviceTool("self.lamp.blink", "", mcp_tools._EMPTY_SCHEMA),))
    blocked = client.call("a", "self.lamp.blink", {}, 0.0)
    assert (blocked == [CallFinished("a", CallResult(code="not_allowed"))]) is hidden


@pytest.mark.parametrize("name", ["self.screen.set_brightness", "self.screen.set_theme", "self.camera.take_photo"])
def test_ordinary_tools_are_offered(name: str) -> None:
    assert not is_user_only(name)


@pytest.mark.parametrize("name", [None, "", 7, "x" * 200, "self.\n"])
def test_a_tool_without_a_usable_name_is_left_out(name: Any) -> None:
    assert read_tools({"tools": [{"name": name}, "x", STATUS]}, 9, 10_000)[0].name == STATUS["name"]


@pytest.mark.parametrize("schema", [None, [], {"type": "array"}, {"properties": {}}])
def test_a_schema_that_is_none_takes_no_arguments(schema: Any) -> None:
    tools = read_tools({"tools": [{"name": "a", "inputSchema": schema}]}, 9, 10_000)
    assert tools[0].schema == {"type": "object", "properties": {}}
    bare = read_tools({"tools": [{"name": "a", "inputSchema": {"type": "object"}}]}, 9, 10_000)
    assert bare[0].schema == {"type": "object", "properties": {}}


def test_aliases_lead_back() -> None:
    names = ["self.audio_speaker.set_volume", "self.a_b", "self.a.b", "self.a.b", "ж.x", "s" * 70, "s" * 71]
    aliases = ToolAliases(names)
    assert aliases.alias("self.audio_speaker.set_volume") == "self_audio_speaker_set_volume"
    assert (aliases.alias("self.a_b"), aliases.alias("self.a.b")) == ("self_a_b", "self_a_b_2")
    assert all(aliases.name(aliases.alias(name)) == name for name in names)
    assert aliases.name("self_unknown") is None
    assert len(aliases.alias("s" * 71)) == 64


@given(st.lists(st.text(max_size=80), max_size=20))
def test_every_alias_is_one_that_models_accept_and_nobody_elses(names: list[str]) -> None:
    aliases = ToolAliases(name for name in names if name)
    for name in filter(None, names):
        alias = aliases.alias(name)
        assert aliases.name(alias) == name
        assert 0 < len(alias) <= 64
        assert alias.isascii()
        assert alias.replace("_", "").replace("-", "").isalnum() or not alias.strip("_-")


JPEG = b"\xff\xd8jpeg"
ENCODED = base64.b64encode(JPEG).decode()


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (answer(1, {"content": [{"type": "text", "text": "true"}]}), CallResult("true")),
        (
            answer(1, {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
            CallResult("a\nb"),
        ),
        (
            answer(1, {"content": [{"type": "text", "text": "no"}], "isError": True}),
            CallResult("no", code="tool_error"),
        ),
        (answer(1, {"content": [{"type": "text"}, {"type": "video"}, 5]}), CallResult()),
        (answer(1, {}), CallResult()),
        (answer(1, "x"), CallResult()),
        ({"id": 1, "error": {"message": "Unknown tool: x"}}, CallResult("Unknown tool: x", code="tool_error")),
        ({"id": 1}, CallResult(code="tool_error")),
        (
            answer(1, {"content": [{"type": "image", "mimeType": "image/jpeg", "data": ENCODED}]}),
            CallResult(images=(ToolImage("image/jpeg", JPEG),)),
        ),
        (
            answer(
                1,
                {
                    "content": [
                        {
                            "type": "image",
                            "image": json.dumps({"type": "image", "mimeType": "image/jpeg", "data": ENCODED}),
                        }
                    ]
                },
            ),
            CallResult(images=(ToolImage("image/jpeg", JPEG),)),
        ),
        (answer(1, {"content": [{"type": "image", "image": "no json"}]}), CallResult()),
        (answer(1, {"content": [{"type": "image", "data": "!"}]}), CallResult()),
        (answer(1, {"content": [{"type": "image", "data": "é"}]}), CallResult()),
    ],
)
def test_what_a_call_gave(payload: dict[str, Any], expected: CallResult) -> None:
    assert read_result(payload) == expected
    assert expected.ok is (not expected.code)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["tools", "nextCursor", "name", "content", "type", "text", "inputSchema", "serverInfo"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(_JSON, min_size=1, max_size=8))
def test_any_answers_lead_somewhere(results: list[Any]) -> None:
    client = McpClient(Vision())
    outputs = client.start(0.0)
    for result in results:
        asked = sent(outputs)
        number = asked[-1].get("id", 0) if asked else 0
        outputs = client.receive(answer(number, result), 0.0)
        if client.ready and not outputs:
            outputs = client.call("x", "self.get_device_status", {}, 0.0)
