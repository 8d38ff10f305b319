"""The rows of the conformance checklist on configuration, challenges, tokens and pinning. Source: xiaozhi.md 5."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from front_desk import Box, Desk

from entendre.core.device import Admitted
from entendre.gateways.xiaozhi.addresses import base_of_url
from entendre.gateways.xiaozhi.credentials import identity_of_client_id
from entendre.gateways.xiaozhi.ota import OtaSettings

MALFORMED = [
    pytest.param(b"", id="empty"),
    pytest.param(b'{"version":2,"board":{"type":"esp-box-3",}', id="unfinished"),
    pytest.param(b"\xff\xfe\x00", id="no text"),
    pytest.param(b"[" * 5_000, id="deep"),
    pytest.param(b'{"a":"' + b"x" * 100_000 + b'"}', id="too long"),
    pytest.param(b'[1,2,"three"]', id="a list"),
    pytest.param(b'{"application":7,"board":[],"language":{},"mac_address":null}', id="wrong types"),
]


@pytest.mark.parametrize("path", ["/xiaozhi/ota", "/xiaozhi/ota/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_ota_answers_200_with_and_without_a_slash_and_without_a_body(
    desk: Desk, box: Box, method: str, path: str
) -> None:
    async with desk.client.request(method, desk.url(path), headers=box.headers) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert set(await answer.json()) == {"server_time", "firmware", "websocket", "activation"}


@pytest.mark.parametrize("body", MALFORMED)
async def test_a_malformed_body_costs_no_device_its_configuration(desk: Desk, box: Box, body: bytes) -> None:
    await desk.bind(box)
    async with desk.client.post(desk.url("/xiaozhi/ota/"), data=body, headers=box.headers) as answer:
        assert answer.status == 200
        configured = await answer.json()
    assert configured["websocket"]["token"].startswith("dev_")
    assert configured["firmware"] == {"version": "2.4.2", "url": ""}


async def test_ota_echoes_the_version_that_a_device_has(desk: Desk, box: Box) -> None:
    assert (await desk.boot(replace(box, version="1.9.10")))["firmware"] == {"version": "1.9.10", "url": ""}


async def test_ota_has_the_members_that_firmware_keeps_and_no_others(desk: Desk, box: Box) -> None:
    unbound = await desk.boot(box)
    assert set(unbound["websocket"]) == {"url", "token", "version"}
    assert set(unbound["activation"]) == {"code", "message", "challenge", "timeout_ms"}
    token, _ = await desk.bind(box)
    bound = await desk.boot(box)
    assert set(bound) == {"server_time", "firmware", "websocket"}
    assert bound["websocket"] == {"url": desk.url("/xiaozhi/v1/").replace("http", "ws"), "token": token, "version": 3}


@pytest.mark.parametrize(("zone", "minutes"), [("Europe/Paris", 120), ("America/St_Johns", -150), ("UTC", 0)])
async def test_ota_sets_the_clock_to_the_time_of_the_home(
    desk: Desk, box: Box, zone: str, minutes: int, ota_settings: OtaSettings
) -> None:
    desk.use(replace(ota_settings, zone=zone))
    assert (await desk.boot(box))["server_time"] == {"timestamp": 1_790_000_000_000, "timezone_offset": minutes}


async def test_activate_answers_202_until_bound_and_then_200(desk: Desk, box: Box) -> None:
    shown = (await desk.boot(box))["activation"]
    assert [await desk.poll(box) for _ in range(3)] == [202, 202, 202]
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(box) == 200
    assert "activation" not in await desk.boot(box)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("algorithm", [False, True])
async def test_activate_takes_every_shape_that_clients_send(
    desk: Desk, box: Box, wrapped: bool, algorithm: bool
) -> None:
    serious = replace(box, serial="S" * 32, key=b"\x07" * 32)
    await desk.devices.enrol("S" * 32, serious.key, by="cli")
    shown = (await desk.boot(serious))["activation"]
    proof = serious.proof(shown["challenge"])
    if not algorithm:
        del proof["algorithm"]
    body: dict[str, Any] = {"Payload": proof} if wrapped else proof
    assert await desk.poll(serious, body=body) == 202
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(serious, body=body) == 200


@pytest.mark.parametrize("enrolled", [False, True])
async def test_a_client_that_tells_its_serial_only_with_its_proof_is_activated(
    desk: Desk, box: Box, enrolled: bool
) -> None:
    """py-xiaozhi 2.1.1 sends no Serial-Number header, and its proof nested."""
    key = b"\x07" * 32
    proving = replace(box, serial="SN-64609447-02fc00000001", key=key)
    if enrolled:
        await desk.devices.enrol("SN-64609447-02fc00000001", key, by="cli")
    shown = (await desk.boot(box))["activation"]
    proof = {"Payload": proving.proof(shown["challenge"])}
    forged = {"Payload": replace(proving, key=b"\x08" * 32).proof(shown["challenge"])}
    if enrolled:
        assert await desk.poll(box, body=forged) == 403
    assert await desk.poll(box, body=proof) == 202
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(box, body=proof) == 200
    assert (await desk.boot(box))["websocket"]["token"]


async def test_a_code_has_six_digits_and_its_message_names_the_server(desk: Desk, box: Box) -> None:
    shown = (await desk.boot(box))["activation"]
    assert len(shown["code"]) == 6
    assert shown["code"].isdecimal()
    assert shown["message"] == f"127.0.0.1\n{shown['code']}"


async def test_a_challenge_is_random_and_fresh_for_each_request(desk: Desk, box: Box) -> None:
    seen = set()
    for number in range(4):
        other = replace(box, mac=f"02:11:22:33:44:0{number}")
        for _ in range(2):
            challenge = (await desk.boot(other))["activation"]["challenge"]
            assert len(challenge) == 64
            seen.add(challenge)
    assert len(seen) == 8


async def test_a_device_with_an_enrolled_key_proves_it_at_every_boot_without_a_code(desk: Desk, box: Box) -> None:
    serious = replace(box, serial="S" * 32, key=b"\x07" * 32)
    await desk.devices.enrol("S" * 32, serious.key, by="cli")
    shown = (await desk.boot(serious))["activation"]
    assert await desk.poll(serious, shown["challenge"]) == 202
    await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert await desk.poll(serious, shown["challenge"]) == 200
    first = await desk.boot(serious)
    assert "activation" not in first
    desk.clock.now_s += 3_600
    silent = await desk.boot(serious)
    assert set(silent["activation"]) == {"challenge", "timeout_ms"}
    assert not isinstance(await desk.devices.verify(silent["websocket"]["token"], box.mac, box.client), Admitted)
    assert await desk.poll(serious, silent["activation"]["challenge"]) == 200
    second = await desk.boot(serious)
    assert second["websocket"]["token"] not in ("", first["websocket"]["token"])


async def test_the_same_token_opens_again_and_again(desk: Desk, box: Box) -> None:
    token, record = await desk.bind(box)
    for _ in range(10):
        desk.clock.now_s += 86_400
        opened = await desk.devices.verify(token, box.mac, box.client)
        assert isinstance(opened, Admitted)
        assert opened.record.id == record.id


async def test_the_first_binding_pins_client_and_serial(desk: Desk, box: Box) -> None:
    serious = replace(box, serial="S" * 32)
    _, record = await desk.bind(serious)
    assert (record.client, record.serial) == (box.client, "S" * 32)
    for stranger in (replace(serious, client="another"), replace(serious, serial="T" * 32), box):
        answer = await desk.boot(stranger)
        opened = await desk.devices.verify(answer["websocket"]["token"], stranger.mac, stranger.client)
        assert not isinstance(opened, Admitted)
        assert answer["activation"]["code"]


async def test_binding_again_pins_anew_and_keeps_the_device(desk: Desk, box: Box) -> None:
    token, record = await desk.bind(box, name="Kitchen")
    erased = replace(box, client="b0b0b0b0-0d2f-4a58-9f3e-3f9d8c1f2a11")
    shown = (await desk.boot(erased))["activation"]
    pending = await desk.devices.pending()
    assert [each.rebinds for each in pending] == [record.id]
    again = await desk.devices.bind(shown["code"], by="cli", guesser="cli")
    assert (again.id, again.name, again.client) == (record.id, "Kitchen", erased.client)
    assert not isinstance(await desk.devices.verify(token, box.mac, box.client), Admitted)
    opened = await desk.devices.verify((await desk.boot(box))["websocket"]["token"], box.mac, box.client)
    assert not isinstance(opened, Admitted)
    opened = await desk.devices.verify((await desk.boot(erased))["websocket"]["token"], erased.mac, erased.client)
    assert isinstance(opened, Admitted)


async def test_mqtt_is_offered_to_bound_devices_where_it_is_chosen(
    desk: Desk, box: Box, ota_settings: OtaSettings
) -> None:
    desk.use(replace(ota_settings, transport="mqtt", mqtt_port=8884))
    assert "mqtt" not in await desk.boot(box)
    await desk.bind(box)
    configured = await desk.boot(box)
    mqtt = configured["mqtt"]
    assert set(mqtt) == {
        "endpoint",
        "client_id",
        "username",
        "password",
        "publish_topic",
        "subscribe_topic",
        "keepalive",
    }
    assert mqtt["endpoint"] == "127.0.0.1:8884"
    identity = identity_of_client_id(mqtt["client_id"])
    assert identity == (box.mac, box.client)
    assert isinstance(await desk.devices.verify(mqtt["password"], *identity), Admitted)
    assert configured["websocket"]["token"] == mqtt["password"]


async def test_a_public_address_is_handed_out_as_it_is(desk: Desk, box: Box, ota_settings: OtaSettings) -> None:
    desk.use(replace(ota_settings, public=base_of_url("https://voice.example.org")))
    answer = await desk.boot(box)
    assert answer["websocket"]["url"] == "wss://voice.example.org/xiaozhi/v1/"
    assert answer["activation"]["message"].startswith("voice.example.org\n")


@pytest.mark.parametrize(
    "host", ["voice.home", "[::1]", "a b", "x" * 300, "evil/..:80", "evil:0", "evil:70000", "evil:", "evil:1:2", "-"]
)
async def test_a_host_header_without_a_port_gets_the_port_it_came_by(desk: Desk, box: Box, host: str) -> None:
    headers = box.headers | {"Host": host}
    async with desk.client.post(desk.url("/xiaozhi/ota/"), data=json.dumps(box.report), headers=headers) as answer:
        assert answer.status == 200
        url = (await answer.json())["websocket"]["url"]
    expected = "voice.home" if host == "voice.home" else "127.0.0.1"
    assert url == f"ws://{expected}:{desk.server.port}/xiaozhi/v1/"


async def test_a_request_that_names_no_device_is_told_so(desk: Desk) -> None:
    async with desk.client.get(desk.url("/xiaozhi/ota/")) as answer:
        assert answer.status == 400


async def test_a_device_without_a_client_id_is_configured_but_not_bound(desk: Desk, box: Box) -> None:
    async with desk.client.get(desk.url("/xiaozhi/ota/"), headers={"Device-Id": box.mac}) as answer:
        assert answer.status == 200
        configured = await answer.json()
    assert configured["websocket"]["token"] == ""
    assert "activation" not in configured


async def test_whatever_a_bound_device_sends_it_is_configured(desk: Desk, box: Box) -> None:
    await desk.bind(box)
    chance = random.Random(20)
    whole = json.dumps(box.report).encode()
    for _ in range(120):
        body = bytearray(whole)
        for _ in range(chance.randrange(1, 30)):
            at = chance.randrange(len(body))
            body[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        odd = "".join(chance.choice('az09/.-_ ,;="{}é') for _ in range(chance.randrange(60)))
        headers = {"Device-Id": box.mac, "Client-Id": box.client, "User-Agent": odd, "Accept-Language": odd}
        async with desk.client.post(desk.url("/xiaozhi/ota"), data=bytes(body), headers=headers) as answer:
            assert answer.status == 200, (body, odd)
            assert (await answer.json())["websocket"]["token"].startswith("dev_")


async def test_whatever_is_sent_to_activate_is_answered(desk: Desk, box: Box) -> None:
    shown = (await desk.boot(box))["activation"]
    chance = random.Random(21)
    whole = json.dumps(replace(box, serial="S" * 32, key=b"k").proof(shown["challenge"])).encode()
    for _ in range(120):
        body = bytearray(whole)
        for _ in range(chance.randrange(1, 10)):
            at = chance.randrange(len(body))
            body[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
        desk.clock.now_s += 1
        url = desk.url("/xiaozhi/ota/activate")
        async with desk.client.post(url, data=bytes(body), headers=box.headers) as answer:
            assert answer.status in (202, 403), body
