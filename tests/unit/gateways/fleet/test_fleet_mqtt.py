"""Devices of the fleet by MQTT: a real client, a real endpoint, real stores on a real database."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from entendre.core.errors import NoAnswerError, OfflineError
from entendre.ports.fleet_twins import TwinPatch
from entendre.system import new_id

aiomqtt = pytest.importorskip("aiomqtt")
BRAND = "home"


async def got(client: Any) -> tuple[str, Any]:
    """The next message to a device: what comes after its id in the topic, and the document."""
    async with asyncio.timeout(5):
        message = await anext(client.messages)
    return str(message.topic).split("/", 3)[3], json.loads(message.payload)


async def say(client: Any, device: str, kind: str, document: Any, qos: int = 1) -> None:
    payload = document if isinstance(document, bytes) else json.dumps(document)
    await client.publish(f"entendre/v1/{device}/{kind}", payload, qos=qos)


async def answer(client: Any, device: str, kind: str, status: int, result: Any) -> None:
    await say(client, device, f"{kind}/answer", {"status": status, "result": result})


async def test_its_token_opens_its_own_topics_and_no_others(site: Any) -> None:
    device, token = await site.device()
    other, others_token = await site.device("s2")
    for wrong in ((other, token), (device, others_token), (device, "entd_x"), (device, "")):
        with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
            async with site.connected(*wrong):
                pass
    async with site.connected(device, token) as client:
        granted = [await client.subscribe(f"entendre/v1/{each}/#", qos=1) for each in (device, other)]
        assert [codes[0].value for codes in granted] == [1, 0x80]
        await say(client, other, "telemetry", {"body": 1})
        await say(client, device, "telemetry", {"body": 2})
    assert await site.rows_of(other) == ()
    assert [each.body for each in await site.rows_of(device)] == ["2"]


async def test_it_reads_its_twin_reports_and_hears_what_it_should_be(site: Any) -> None:
    device, token = await site.device()
    async with site.connected(device, token) as client:
        await say(client, device, "twin/reported", {"request": "a", "patch": {"volume": 10}})
        assert await got(client) == ("answers", {"request": "a", "topic": "twin/reported", "version": 2})
        await site.twins.patch(TwinPatch(BRAND, device, "desired", {"volume": 40}), by="t")
        assert await got(client) == ("twin/desired", {"patch": {"volume": 40}, "version": 2})
        await say(client, device, "twin/get", b"")
        kind, twin = await got(client)
        assert kind == "answers"
        assert (twin["desired"], twin["desired_version"]) == ({"volume": 40}, 2)
        assert (twin["reported"], twin["reported_version"]) == ({"volume": 10}, 2)
        await site.twins.patch(TwinPatch(BRAND, device, "desired", {"a": 1}, replace=True), by="t")
        assert await got(client) == ("twin/desired", {"replaced": {"a": 1}, "version": 3})


async def test_a_direct_command_is_answered_at_once_or_refused_at_once(site: Any) -> None:
    device, token = await site.device()
    with pytest.raises(OfflineError):
        await site.commands.direct(BRAND, device, "reboot", None, by="t")
    async with site.connected(device, token) as client:
        asking = asyncio.create_task(site.commands.direct(BRAND, device, "say", {"text": "hi"}, by="t"))
        kind, asked = await got(client)
        assert asked == {"name": "say", "payload": {"text": "hi"}, "mode": "direct", "timeout_s": 30.0}
        await answer(client, device, kind, 200, {"said": True})
        record = await asking
        assert (record.state, record.status, json.loads(record.result or "")) == ("done", 200, {"said": True})
        with pytest.raises(NoAnswerError):
            await site.commands.direct(BRAND, device, "say", None, timeout_s=1, by="t")
        asking = asyncio.create_task(site.commands.direct(BRAND, device, "say", None, by="t"))
        await got(client)
        await got(client)
    with pytest.raises(OfflineError):
        await asking
    await site.commands.settle()
    listed = await site.commands.commands(BRAND, device, state=None, after=None, limit=10)
    assert [(each.state, each.status) for each in listed] == [("failed", 504), ("done", 200)]


async def test_a_queued_command_waits_and_comes_again_until_it_is_answered(site: Any) -> None:
    device, token = await site.device()
    queued = await site.commands.queue(BRAND, device, "update", {"n": 1}, by="t")
    async with site.connected(device, token) as client:
        kind, first = await got(client)
        assert (kind, first["name"], first["payload"]) == (f"commands/{queued.id}", "update", {"n": 1})
        assert (first["mode"], first["delivery"]) == ("queued", 1)
    async with site.connected(device, token) as client:
        kind, second = await got(client)
        assert (kind, second["delivery"]) == (f"commands/{queued.id}", 2)
        await say(client, device, "commands/get", {})
        kind, third = await got(client)
        assert third["delivery"] == 3
        await answer(client, device, kind, 500, "no room")
        assert (await site.commands.get(BRAND, device, queued.id)).state == "failed"
        await answer(client, device, kind, 200, None)
        await answer(client, device, f"commands/{new_id()}", 200, None)
        kind, error = await got(client)
        assert (kind, error["code"]) == ("errors", "not_found")
        later = await site.commands.queue(BRAND, device, "later", None, by="t")
        assert (await got(client))[0] == f"commands/{later.id}"


async def test_a_message_is_acknowledged_once_it_is_kept_and_in_order(site: Any) -> None:
    device, token = await site.device()
    site.telemetry.held = asyncio.Event()
    async with site.connected(device, token) as client:
        sending = [
            asyncio.create_task(say(client, device, "telemetry", {"id": str(n), "body": n}, qos=1 + n % 2))
            for n in range(6)
        ]
        await asyncio.sleep(0.1)
        assert not any(each.done() for each in sending)
        site.telemetry.held.set()
        await asyncio.gather(*sending)
        assert sorted(each.id for each in await site.rows_of(device)) == [str(n) for n in range(6)]


async def test_a_message_that_cannot_be_kept_is_not_acknowledged_and_is_taken_when_it_comes_again(site: Any) -> None:
    device, token = await site.device()
    site.telemetry.refuses = True
    with pytest.raises(aiomqtt.MqttError):
        async with site.connected(device, token, timeout=2) as client:
            await say(client, device, "telemetry", {"id": "a", "body": 1})
    site.telemetry.refuses = False
    async with site.connected(device, token) as client:
        await say(client, device, "telemetry", {"id": "a", "body": 1})
        await say(client, device, "telemetry", {"id": "a", "body": 1}, qos=2)
    assert [each.id for each in await site.rows_of(device)] == ["a"]


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        ("telemetry", b"{", "bad_json"),
        ("telemetry", b"[]", "bad_json"),
        ("telemetry", b'{"body":"\\u0000"}', "bad_text"),
        ("telemetry", b'{"body":"\\ud800"}', "bad_text"),
        ("telemetry", b'{"messages":[]}', "bad_message"),
        ("telemetry", b'{"body":"' + b"x" * 262_144 + b'"}', "too_large"),
        ("telemetry", b'{"body":1,"request":7}', "bad_request_id"),
        ("twin/reported", b'{"patch":7}', "bad_message"),
        ("commands/x/answer", b'{"status":"no"}', "bad_message"),
        ("nothing/such", b"{}", "unknown_topic"),
    ],
)
async def test_what_is_malformed_is_answered_by_an_error_and_the_connection_goes_on(
    site: Any, kind: str, payload: bytes, code: str
) -> None:
    device, token = await site.device()
    async with site.connected(device, token) as client:
        await say(client, device, kind, payload)
        where, error = await got(client)
        assert (where, error["topic"], error["code"]) == ("errors", kind, code)
        await say(client, device, "telemetry", {"body": 1})
    assert len(await site.rows_of(device)) == 1


async def test_presence_and_firmware_are_known_and_a_revoked_device_is_cut_off(site: Any) -> None:
    device, token = await site.device()
    async with site.connected(device, token) as client:
        await say(client, device, "firmware", {"version": "1.2.3", "request": "f"})
        assert (await got(client))[0] == "answers"
        await site.links.settle()
        known = await site.registry.device(BRAND, device)
        assert (known.online, known.firmware) == (True, "1.2.3")
        await site.registry.revoke(BRAND, device, by="t")
        with pytest.raises(aiomqtt.MqttError):
            await got(client)
    await site.links.settle()
    assert (await site.registry.device(BRAND, device)).online is False


async def test_a_newer_connection_takes_the_place_of_the_older(site: Any) -> None:
    device, token = await site.device()
    one, two = (site.connected(device, token, identifier=name) for name in ("one", "two"))
    async with one as older, two as newer:
        with pytest.raises(aiomqtt.MqttError):
            await got(older)
        queued = await site.commands.queue(BRAND, device, "go", None, by="t")
        assert (await got(newer))[0] == f"commands/{queued.id}"
