"""The rows of the protocol's checklist that concern MQTT and UDP, and what section 3 says of a channel's life."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from channels import silent, spoken
from mqtt_bench import SILENCE, Mast, PlainDevice, mast

from entendre.core.actions import SetVolume
from entendre.core.device import DeviceIdentity, Unbound
from entendre.core.plan import Plan
from entendre.core.understanding import Completeness
from entendre.gateways.xiaozhi.credentials import MqttLogin, mqtt_login
from entendre.session.announcing import Announcement, Audience
from entendre.session.hub import RingRequest
from entendre.wire.mqtt_packets import SUBSCRIBE_REFUSED, ConnectCode
from entendre.wire.xiaozhi_frames import packet_duration_ms

LISTEN = {"type": "listen", "state": "start", "mode": "auto"}
TYPED = {"type": "listen", "state": "detect", "text": "turn on the lamp"}


@pytest.fixture
async def tower(tmp_path: Path) -> AsyncIterator[Mast]:
    async with mast(tmp_path) as made:
        made.stage.plans["turn on the lamp"] = (Completeness.COMPLETE, Plan("Done."))
        yield made


# -- identity from the connection --------------------------------------------------------------------------------------


async def test_identity_comes_from_the_connection_never_from_the_payload(tower: Mast) -> None:
    mine, other = await tower.device(1), await tower.device(2)
    await other.greet()
    await mine.greet()
    forged = {"session_id": other.session, "device_id": "02:00:00:00:00:02", "client_id": other.login.client_id}
    mine.say(forged | {"type": "goodbye"})
    mine.say(forged | {"type": "abort"})
    other.say(TYPED)
    await other.until(lambda: other.of("tts", state="stop"))
    assert not other.of("goodbye"), "a message of one device ended the channel of another"
    assert {each["session_id"] for each in other.told} == {other.session}


async def test_a_device_without_credentials_is_refused(tower: Mast) -> None:
    login = await tower.bind(1)
    strangers = [
        MqttLogin(login.client_id, login.username, ""),
        MqttLogin(login.client_id, login.username, login.password[:-1] + "x"),
        MqttLogin(login.client_id, login.username, "é" * 20),
        MqttLogin("anything", login.username, login.password),
        MqttLogin(login.client_id.replace("client-1", "client-2"), login.username, login.password),
        MqttLogin(login.client_id.replace("_01@", "_02@"), login.username, login.password),
    ]
    for each in strangers:
        assert await PlainDevice(tower, each).connect() == ConnectCode.NOT_AUTHORIZED, each
    assert await PlainDevice(tower, login).connect() == ConnectCode.ACCEPTED


async def test_a_device_that_belongs_to_nobody_is_refused(tower: Mast) -> None:
    identity = DeviceIdentity("02:00:00:00:00:09", "client-9")
    shown = await tower.devices.announce(identity, "127.0.0.1")
    assert isinstance(shown, Unbound)
    for password in ("", shown.code, shown.challenge, getattr(shown, "token", "") or "x"):
        login = mqtt_login(identity.hardware, identity.client, password)
        assert await PlainDevice(tower, login).connect() == ConnectCode.NOT_AUTHORIZED
    assert not tower.hub.devices()


async def test_a_devices_own_credentials_do_not_open_anothers_connection(tower: Mast) -> None:
    first, second = await tower.bind(1), await tower.bind(2)
    crossed = mqtt_login("02:00:00:00:00:02", "client-2", first.password)
    assert await PlainDevice(tower, crossed).connect() == ConnectCode.NOT_AUTHORIZED
    assert await PlainDevice(tower, second).connect() == ConnectCode.ACCEPTED


async def test_a_revoked_device_is_put_out_and_stays_out(tower: Mast) -> None:
    device = await tower.device(1)
    await device.greet()
    (record,) = await tower.devices.devices()
    await tower.devices.revoke(record.id, by="cli")
    await device.ended()
    assert device.of("goodbye", session_id=device.session)
    assert await device.connect() == ConnectCode.NOT_AUTHORIZED


async def test_the_same_credentials_survive_reconnections(tower: Mast) -> None:
    device = await tower.device(1)
    for _ in range(3):
        await device.leave(abruptly=True)
        assert await device.connect() == ConnectCode.ACCEPTED
    await device.greet()


async def test_a_device_has_one_connection_whatever_it_calls_itself(tower: Mast) -> None:
    login = await tower.bind(1)
    names = [login.client_id.replace("GID_entendre", group) for group in ("GID_a", "GID_b", "GID_c")]
    devices = [PlainDevice(tower, MqttLogin(name, login.username, login.password)) for name in names]
    for each in devices:
        assert await each.connect() == ConnectCode.ACCEPTED
    for each in devices[:-1]:
        await each.ended()
    await devices[-1].greet()
    assert len(tower.hub.devices()) == 1


# -- pushed without a subscription -------------------------------------------------------------------------------------


async def test_messages_are_pushed_without_a_subscription(tower: Mast) -> None:
    device = await tower.device(1)
    await device.greet()
    assert set(device.topics) == {"devices/p2p/02_00_00_00_00_01"}


async def test_firmware_that_subscribes_to_what_it_was_told_is_not_refused(tower: Mast) -> None:
    device = await tower.device(1)
    device.subscribe("null")
    await device.until(lambda: device.granted)
    assert device.granted == [1]
    device.subscribe("devices/p2p/02_00_00_00_00_02")
    await device.until(lambda: len(device.granted) == 2)
    assert device.granted[1] == SUBSCRIBE_REFUSED, "another device's topic"


async def test_the_answer_to_hello_has_every_member_that_the_firmware_reads(tower: Mast) -> None:
    device = await tower.device(1)
    await device.greet()
    hello = device.hello
    assert (hello["transport"], hello["version"]) == ("udp", 3)
    assert hello["audio_params"] == {"format": "opus", "sample_rate": 24000, "channels": 1, "frame_duration": 60}
    udp = hello["udp"]
    assert (udp["server"], udp["encryption"]) == ("127.0.0.1", "aes-128-ctr")
    assert len(bytes.fromhex(udp["key"])) == len(bytes.fromhex(udp["nonce"])) == 16
    assert udp["nonce"].startswith("01000000")
    assert udp["nonce"].endswith("0" * 16)


async def test_every_session_has_a_key_a_cookie_and_an_id_of_its_own(tower: Mast) -> None:
    device = await tower.device(1)
    hellos = []
    for _ in range(5):
        await device.greet()
        hellos.append(device.hello)
    for member in ("key", "nonce"):
        assert len({each["udp"][member] for each in hellos}) == 5
    assert len({each["session_id"] for each in hellos}) == 5
    assert tower.udp.channels == 1, "a device has one channel; its older keys are void"


# -- the life of a channel ---------------------------------------------------------------------------------------------


async def test_goodbye_of_the_device_is_not_answered(tower: Mast) -> None:
    device = await tower.device(1)
    await device.greet()
    device.say({"type": "goodbye", "session_id": device.session})
    await until(lambda: tower.udp.channels == 0)
    await asyncio.sleep(0.05)
    assert not device.of("goodbye")


async def test_a_goodbye_of_another_session_is_ignored(tower: Mast) -> None:
    device = await tower.device(1)
    await device.greet()
    device.say({"type": "goodbye", "session_id": "another"})
    device.say(TYPED)
    await device.until(lambda: device.of("tts", state="stop"))
    assert tower.udp.channels == 1


async def test_an_idle_channel_is_closed_by_goodbye_with_its_session(tmp_path: Path) -> None:
    from entendre.gateways.xiaozhi.settings import XiaozhiSettings

    async with mast(tmp_path, XiaozhiSettings(idle_s=0.2)) as tower:
        device = await tower.device(1)
        await device.greet()
        await device.until(lambda: device.of("goodbye"))
        assert device.of("goodbye") == [{"type": "goodbye", "session_id": device.session}]
        assert tower.udp.channels == 0
        assert not device.lost, "the control link stays up"


@pytest.mark.parametrize(
    "message",
    [
        {"type": "listen", "state": "start", "mode": "auto"},
        {"type": "listen", "state": "stop"},
        {"type": "abort"},
        TYPED,
    ],
)
async def test_a_message_after_the_session_is_gone_is_answered_by_goodbye(tower: Mast, message: dict) -> None:
    device = await tower.device(1)
    device.say(message | {"session_id": "s-old"})
    await device.until(lambda: device.of("goodbye"))
    assert device.told == [{"type": "goodbye", "session_id": "s-old"}]


@pytest.mark.parametrize(
    "message", [{"type": "ping"}, {"type": "goodbye"}, b"not JSON", b"", b"\xff\xfe", b"[1]", b"{"]
)
async def test_what_means_nothing_is_not_answered(tower: Mast, message: dict | bytes) -> None:
    device = await tower.device(1)
    device.say(message)
    await device.greet()
    assert [each["type"] for each in device.told] == ["hello"]


async def test_a_message_that_is_too_long_ends_the_connection(tower: Mast) -> None:
    device = await tower.device(1)
    device.say(json.dumps({"type": "listen", "text": "x" * 70_000}).encode())
    await device.ended()


async def test_a_new_hello_replaces_the_channel(tower: Mast) -> None:
    device = await tower.device(1)
    old_air = await device.greet()
    old_session = device.session
    new_air = await device.greet()
    old_air.send()
    new_air.send()
    ask(device)
    await device.until(lambda: device.of("tts", state="stop"))
    assert not device.of("goodbye", session_id=device.session)
    assert old_session != device.session
    assert new_air.heard
    assert not old_air.heard


async def test_the_channel_ends_with_the_connection(tower: Mast) -> None:
    device = await tower.device(1)
    await device.greet()
    await device.leave(abruptly=True)
    await until(lambda: tower.udp.channels == 0 and not tower.hub.devices())
    assert await device.connect() == ConnectCode.ACCEPTED
    air = await device.greet()
    air.send()
    ask(device)
    await device.until(lambda: device.of("tts", state="stop"))
    assert air.heard, "it works again as before"


async def test_a_server_that_stops_says_goodbye(tmp_path: Path) -> None:
    async with mast(tmp_path) as tower:
        device = await tower.device(1)
        await device.greet()
    await device.until(lambda: device.of("goodbye", session_id=device.session) and device.lost)


# -- audio both ways ---------------------------------------------------------------------------------------------------


async def test_what_is_said_is_heard_and_answered_in_packets_that_the_device_takes(tower: Mast) -> None:
    device = await tower.device(1)
    air = await device.greet()
    device.say(LISTEN)
    await air.stream((*spoken(0.36), *silent(0.9)))
    await device.until(lambda: device.of("tts", state="stop"))
    states = [each["state"] for each in device.of("tts")]
    assert states == ["start", "sentence_start", "stop"]
    assert device.of("stt")[0]["text"] == "turn on the lamp"
    assert {packet_duration_ms(each) for each in air.heard} == {60}
    assert len(air.heard) >= 2
    sequences = [int.from_bytes(head[12:16]) for head in air.heads]
    timestamps = [int.from_bytes(head[8:12]) for head in air.heads]
    assert sequences == list(range(1, len(sequences) + 1))
    assert timestamps == sorted(set(timestamps))
    assert all(head[0] == 1 and head[4:8] != air.cookie for head in air.heads)


async def test_speech_follows_the_device_to_another_address(tower: Mast) -> None:
    device = await tower.device(1)
    air = await device.greet()
    air.send()
    await until(lambda: tower.udp.counts["accepted"] == 1)
    old = air.transport
    await air.move()
    for _ in range(3):
        air.send()
    await until(lambda: tower.udp.counts["moved"] == 1)
    old.close()
    ask(device)
    await device.until(lambda: device.of("tts", state="stop"))
    assert air.heard


async def test_a_strangers_packets_neither_reach_the_conversation_nor_take_the_reply(tower: Mast) -> None:
    device, thief = await tower.device(1), await tower.device(2)
    air = await device.greet()
    air.send()
    await until(lambda: tower.udp.counts["accepted"] == 1)
    away = await thief.greet()
    away.cookie = air.cookie  # it has seen the cookie, but not the key
    for _ in range(40):
        away.sequence += 1
        away.send(SILENCE + bytes(20))
    ask(device)
    await device.until(lambda: device.of("tts", state="stop"))
    assert air.heard
    assert not away.heard


async def test_speech_before_the_first_packet_of_the_device_is_lost_and_nothing_else(tower: Mast) -> None:
    device = await tower.device(1)
    air = await device.greet()
    device.say(TYPED)
    await device.until(lambda: device.of("tts", state="stop"))
    assert not air.heard
    air.send()
    ask(device)
    await device.until(lambda: len(device.of("tts", state="stop")) == 2)
    assert air.heard
    assert int.from_bytes(air.heads[0][12:16]) == 1


# -- while no channel is open ------------------------------------------------------------------------------------------


async def test_a_ring_is_shown_to_a_sleeping_device_and_heard_when_its_channel_opens(tower: Mast) -> None:
    device = await tower.device(1)
    (name,) = tower.hub.devices()
    assert tower.hub.ring(RingRequest("r1", "timer", "pasta", "Your pasta timer is done.", name))
    await device.until(lambda: device.of("alert"))
    assert device.of("alert")[0] == {
        "session_id": "",
        "type": "alert",
        "status": "pasta",
        "message": "Your pasta timer is done.",
        "emotion": "neutral",
    }
    air = await device.greet()
    air.send()
    device.say(LISTEN)
    await device.until(lambda: device.of("tts", state="sentence_start"))
    await air.until(5)
    shown = len(device.of("alert"))
    await asyncio.sleep(0.2)
    assert len(device.of("alert")) == shown, "it rings, so it is not shown too"


async def test_a_ring_that_is_stopped_is_shown_no_more(tower: Mast) -> None:
    device = await tower.device(1)
    tower.hub.ring(RingRequest("r1", "alarm", None, "Seven o'clock.", tower.hub.devices()[0]))
    await device.until(lambda: device.of("alert"))
    assert device.of("alert")[0]["status"] == "Speaker 1", "a ring without a name is headed by the device's"
    tower.hub.stop_ring("r1")
    assert not tower.hub.rings_on(tower.hub.devices()[0])


async def test_a_speaker_that_was_moved_is_found_in_its_new_room(tower: Mast) -> None:
    device = await tower.device(1)
    (record,) = await tower.devices.devices()
    await tower.devices.change(record.id, name="Reading corner", room="study", by="cli")
    await device.greet()
    await until(lambda: tower.hub.rooms() == ("study",))
    device.say({"type": "goodbye", "session_id": device.session})
    await until(lambda: tower.udp.channels == 0)
    tower.hub.announce(Announcement("Dinner.", "en"), Audience(room="study"))
    await device.until(lambda: device.of("alert"))
    assert device.of("alert")[0]["status"] == "Reading corner"


async def test_an_announcement_is_shown_to_a_sleeping_device(tower: Mast) -> None:
    device = await tower.device(1)
    taken = tower.hub.announce(Announcement("Dinner is ready.", "en"), Audience())
    assert [each.room for each in taken] == ["kitchen"]
    await device.until(lambda: device.of("alert", message="Dinner is ready."))
    assert not tower.stage.voice.said, "nothing was synthesised for nobody"


async def test_what_was_said_aloud_is_not_shown_afterwards(tower: Mast) -> None:
    device = await tower.device(1)
    air = await device.greet()
    air.send()
    await asyncio.sleep(0.1)
    tower.hub.announce(Announcement("Dinner is ready.", "en"), Audience())
    await device.until(lambda: device.of("tts", state="stop"))
    device.say({"type": "goodbye", "session_id": device.session})
    await until(lambda: tower.udp.channels == 0)
    await asyncio.sleep(0.2)
    assert not device.of("alert")


async def test_a_ring_stays_on_its_device_while_channels_open_and_close(tower: Mast) -> None:
    device, other = await tower.device(1), await tower.device(2)
    name, elsewhere = sorted(tower.hub.devices(), key=lambda each: each != device_id(tower, device))
    tower.hub.ring(RingRequest("r1", "timer", "pasta", "Pasta.", name))
    for _ in range(3):
        await device.greet()
        await asyncio.sleep(0.1)
        device.say({"type": "goodbye", "session_id": device.session})
        await asyncio.sleep(0.05)
    assert tower.hub.rings_on(name) == {"r1"}
    assert not tower.hub.rings_on(elsewhere)
    assert not other.told
    assert len(tower.hub._conversations[name]) == 1


async def test_a_device_whose_channel_opens_or_has_closed_can_be_reached_at_every_moment(tmp_path: Path) -> None:
    """A conversation opens in the time that a database takes: until then the device must not count as gone."""
    async with mast(tmp_path, opening_s=0.3) as tower:
        device = await tower.device(1)
        await until(tower.hub.devices)
        (name,) = tower.hub.devices()
        tower.hub.ring(RingRequest("r1", "timer", "pasta", "Pasta.", name))
        await device.greet()
        for _ in range(80):  # while the channel's conversation opens, and after
            assert tower.hub.rings_on(name) == {"r1"}
            await asyncio.sleep(0.005)
        tower.hub.stop_ring("r1")
        device.say({"type": "goodbye", "session_id": device.session})
        await until(lambda: tower.udp.channels == 0)
        assert tower.hub.announce(Announcement("Dinner is ready.", "en"), Audience())
        await device.until(lambda: device.of("alert", message="Dinner is ready."))


async def test_what_waited_for_a_channel_that_was_closed_is_shown(tower: Mast) -> None:
    device = await tower.device(1)
    air = await device.greet()
    air.send()
    device.say(LISTEN)
    await asyncio.sleep(0.1)
    tower.hub.announce(Announcement("Dinner is ready.", "en"), Audience())
    await asyncio.sleep(0.1)
    assert not device.of("tts"), "it waits: the microphone is open for somebody"
    device.say({"type": "goodbye", "session_id": device.session})
    await device.until(lambda: device.of("alert", message="Dinner is ready."))


async def test_tools_of_a_sleeping_device_can_be_called(tower: Mast) -> None:
    device = await tower.device(1)
    doing = asyncio.create_task(_asleep(tower).perform(SetVolume(30)))
    await _serve_tools(device)
    assert await asyncio.wait_for(doing, 2) is True
    (call,) = [each["payload"] for each in device.of("mcp") if each["payload"]["method"] == "tools/call"]
    assert call["params"] == {"name": "self.audio_speaker.set_volume", "arguments": {"volume": 30}}


async def test_a_sleeping_device_costs_no_timer(tower: Mast) -> None:
    """Ten thousand devices sleep; none may tick."""
    await tower.device(1)
    await asyncio.sleep(0.05)
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert "xiaozhi-asleep" in names
    assert not [
        task for task in asyncio.all_tasks() if "_tick" in str(task.get_coro()) or "_watch" in str(task.get_coro())
    ]


def device_id(tower: Mast, device: PlainDevice) -> str:
    """What the household calls a device."""
    return next(c.identity.device for c in tower.service._devices if c.client_id == device.login.client_id)


def _asleep(tower: Mast):
    (device,) = tower.service._devices.values()
    return device._asleep


async def _serve_tools(device: PlainDevice) -> None:
    """Answer as the firmware's tool server does, until a tool was called."""
    tool = {"name": "self.audio_speaker.set_volume", "description": "", "inputSchema": {"type": "object"}}
    answers = {
        "initialize": {"protocolVersion": "2024-11-05", "serverInfo": {"name": "box", "version": "2"}},
        "tools/list": {"tools": [tool]},
        "tools/call": {"content": [{"type": "text", "text": "true"}], "isError": False},
    }
    for count, method in enumerate(answers, 1):
        asked = lambda method=method: [e["payload"] for e in device.of("mcp") if e["payload"]["method"] == method]  # noqa: E731
        await device.until(asked)
        answer = {"jsonrpc": "2.0", "id": asked()[0]["id"], "result": answers[method]}
        device.say({"session_id": "", "type": "mcp", "payload": answer})
        assert count


def ask(device: PlainDevice) -> None:
    """Typed words, after the microphone was opened: with wake audio alone before them they would be the wake word."""
    device.say(LISTEN)
    device.say(TYPED)


async def until(condition, wait_s: float = 3.0) -> None:
    async with asyncio.timeout(wait_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
