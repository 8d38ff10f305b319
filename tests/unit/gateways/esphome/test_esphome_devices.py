"""Reaching devices, what they ring and announce, their media, light and wake words, over TCP."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import psutil
import pytest
from aioesphomeapi import VoiceAssistantFeature as Feature
from aioesphomeapi import api_pb2 as pb
from device_box import LVA, VOICE, Box
from esphome_bench import QUICK, Bench, at, settled

from entendre.core import actions as act
from entendre.core.errors import ActionError, ConfigurationError
from entendre.gateways.announced import Announced
from entendre.gateways.esphome import dialogue, ringing
from entendre.gateways.esphome.house import House, WakeWordModel
from entendre.gateways.esphome.settings import DeviceSettings, parse_device, parse_devices, parse_keys
from entendre.session import api

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(32)).decode()
HARDWARE = "020000000007"


def ring(reply: str = "ring") -> tuple[api.SessionEvent, ...]:
    """One sounding of what rings."""
    return (
        api.ReplyStarted(reply, "", "The timer is done.", 24_000, expects_reply=True),
        api.ReplyAudio(reply, bytes(2_400)),
    )


def timer(change: str, left_s: float = 9.6) -> api.TimerChanged:
    return api.TimerChanged("tea", change, "Tea", 10, left_s, change == "paused")


# -- reaching them -----------------------------------------------------------------------------------------------------


async def test_an_encrypted_device_is_served_with_its_key(bench: Bench) -> None:
    box = Box(key=KEY)
    async with bench.serving(box, key=KEY) as runner:
        assert runner.statuses()[0].state == "serving"
        box.wake()
        await settled(lambda: "STT_START" in box.events())


@pytest.mark.parametrize(
    ("theirs", "ours", "state"),
    [(KEY, None, "needs_key"), (KEY, OTHER_KEY, "wrong_key"), (None, KEY, "not_encrypted")],
)
async def test_a_key_that_does_not_fit_is_said(bench: Bench, theirs: str | None, ours: str | None, state: str) -> None:
    box = Box(key=theirs)
    async with box.switched_on(), bench.running(at(box, key=ours)) as runner:
        await settled(lambda: runner.statuses()[0].state == state)
        assert "key" in runner.statuses()[0].message
    assert bench.factory.opened == []


async def test_a_device_dials_in_and_dials_in_again(bench: Bench) -> None:
    device = DeviceSettings(hardware=HARDWARE, name="box", key=KEY)
    settings = replace(QUICK, dial_in_host="127.0.0.1", dial_in_port=_free_port())
    async with bench.running(device, settings=settings) as runner:
        await settled(lambda: runner.dial_in_port)
        for number in (1, 2):
            box = Box(key=KEY)
            async with box.dialling(runner.dial_in_port):
                await settled(lambda number=number: runner.statuses()[0].connections == number)
                await settled(lambda box=box: box.subscribed)
                assert box.all(pb.HelloRequest)[0].outgoing_connection_target
                box.wake()
                await settled(lambda box=box: "STT_START" in box.events())
            await settled(lambda: runner.statuses()[0].state != "serving")
        async with Box(key=OTHER_KEY).dialling(runner.dial_in_port):
            await settled(lambda: runner.statuses()[0].state == "wrong_key")
        assert runner.statuses()[0].connections == 2


@pytest.mark.parametrize("text", ["foo@@", "kitchen@kitchen", "ki tchen", "http://192.168.1.30"])
def test_what_is_no_host_is_refused_before_it_is_dialled(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_device(text)


async def test_a_stranger_that_calls_in_a_devices_place_does_not_keep_it_waiting(bench: Bench) -> None:
    device = DeviceSettings(hardware=HARDWARE, name="box", key=KEY)
    settings = replace(QUICK, dial_in_host="127.0.0.1", dial_in_port=_free_port(), slow_retry_s=60.0, called_s=0.3)
    async with bench.running(device, settings=settings) as runner:
        await settled(lambda: runner.dial_in_port)
        async with Box(key=OTHER_KEY).dialling(runner.dial_in_port):
            await settled(lambda: runner.statuses()[0].state == "wrong_key")
        silent = Box(key=KEY, silent=True)
        async with silent.dialling(runner.dial_in_port):
            await settled(lambda: runner.statuses()[0].state == "unreachable")
        box = Box(key=KEY)
        async with box.dialling(runner.dial_in_port):
            await settled(lambda: box.subscribed)


async def test_a_silent_device_holds_up_no_other(bench: Bench) -> None:
    silent, alive = Box(silent=True), Box()
    quick = replace(QUICK, dial_s=0.2)
    async with (
        silent.switched_on(),
        alive.switched_on(),
        bench.running(at(silent, name="silent"), at(alive), settings=quick) as runner,
    ):
        await settled(lambda: alive.subscribed)
        await settled(lambda: runner.statuses()[0].state == "unreachable")
        await settled(lambda: silent.clients > 1)
        assert runner.statuses()[1].state == "serving"


async def test_a_device_that_comes_back_is_served_again(bench: Bench) -> None:
    box = Box()
    async with box.switched_on(), bench.running(at(box)) as runner:
        for number in (1, 2, 3):
            await settled(lambda number=number: runner.statuses()[0].connections == number)
            await settled(lambda: box.client is not None)
            assert box.client is not None
            client, box.client = box.client, None
            client.writer.transport.abort()
        await settled(lambda: len(bench.factory.opened) == 4)
        assert all(each.ended for each in bench.factory.opened[:3])


async def test_a_device_without_voice_is_not_served(bench: Bench) -> None:
    box = Box(features=0)
    async with box.switched_on(), bench.running(at(box)) as runner:
        await settled(lambda: runner.statuses()[0].state == "no_voice")


async def test_found_devices_are_asked_once_and_served_if_they_offer_voice(bench: Bench) -> None:
    speaker, plug, locked = Box(), Box(features=0), Box(key=KEY)

    async def announcements() -> AsyncIterator[Announced]:
        for _ in range(3):
            yield Announced("speaker", "127.0.0.1", speaker.port)
            yield Announced("plug", "127.0.0.1", plug.port)
            yield Announced("locked", "127.0.0.1", locked.port)
            await asyncio.sleep(0.03)
        await asyncio.Event().wait()

    settings = replace(QUICK, discover=True)
    async with (
        speaker.switched_on(),
        plug.switched_on(),
        locked.switched_on(),
        bench.running(settings=settings, browse=announcements) as runner,
    ):
        await settled(lambda: speaker.subscribed)
        await asyncio.sleep(0.25)
        states = {each.device: each.state for each in runner.statuses()}
        assert states == {"esphome-speaker": "serving", "esphome-locked": "needs_key"}
        assert plug.clients == speaker.clients == 1


async def test_a_found_device_is_opened_with_the_key_of_its_name(bench: Bench) -> None:
    box = Box(key=KEY)

    async def announcements() -> AsyncIterator[Announced]:
        yield Announced("box", "127.0.0.1", box.port)
        await asyncio.Event().wait()

    settings = replace(QUICK, discover=True)
    async with box.switched_on(), bench.running(settings=settings, browse=announcements, keys={"box": KEY}):
        await settled(lambda: box.subscribed)


async def test_reconnects_leave_nothing_behind(bench: Bench) -> None:
    box = Box()
    async with box.switched_on(), bench.running(at(box)) as runner:

        async def storm(times: int) -> None:
            for _ in range(times):
                before = runner.statuses()[0].connections
                await settled(lambda: box.client is not None)
                assert box.client is not None
                client, box.client = box.client, None
                client.writer.transport.abort()
                await settled(lambda before=before: runner.statuses()[0].connections > before)
                bench.factory.opened.clear()
                box.received.clear()

        await storm(5)
        process = psutil.Process()
        gc.collect()
        before = (process.num_fds(), len(gc.get_objects()), len(asyncio.all_tasks()))
        await storm(20)
        gc.collect()
        after = (process.num_fds(), len(gc.get_objects()), len(asyncio.all_tasks()))
    assert after[0] <= before[0] + 2
    assert after[1] - before[1] < 1_000
    assert after[2] <= before[2] + 4


# -- announcements and rings -------------------------------------------------------------------------------------------


async def test_an_announcement_has_a_chime_and_is_done_when_the_device_says_so(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        await bench.tell(api.ReplyStarted("a", "", "Dinner is ready", 24_000), api.ReplyAudio("a", bytes(4_800)))
        await settled(lambda: box.all(pb.VoiceAssistantAnnounceRequest))
        (announced,) = box.all(pb.VoiceAssistantAnnounceRequest)
        assert announced.text == "Dinner is ready"
        assert not announced.start_conversation
        assert bench.fetch(announced.preannounce_media_id).size_bytes > 10_000
        ending = asyncio.create_task(bench.tell(api.ReplyEnded("a", "", 0.1)))
        await asyncio.sleep(0.02)
        assert not ending.done()
        bench.fetch(announced.media_id)
        box.send(pb.VoiceAssistantAnnounceFinished(success=False))
        await asyncio.wait_for(ending, 1.0)


async def test_firmware_that_answers_an_error_does_not_stop_the_announcement_behind_it(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        box.wake()
        await settled(lambda: bench.conversation.calls)
        await bench.tell(
            api.ListeningEnded("no_speech"), api.ReplyStarted("a", "", "Hello", 24_000), api.ReplyAudio("a", bytes(480))
        )
        await settled(lambda: box.all(pb.VoiceAssistantAnnounceRequest))
        box.send(pb.VoiceAssistantRequest(start=False))
        await asyncio.sleep(0.05)
        assert ("cancel_reply",) not in bench.conversation.calls
        box.send(pb.VoiceAssistantRequest(start=False))
        await settled(lambda: ("cancel_reply",) in bench.conversation.calls)


async def test_an_announcement_that_never_answers_times_out(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dialogue, "FINISH_WITHIN_S", 0.05)
    box = Box()
    async with bench.serving(box) as runner:
        with caplog.at_level(logging.WARNING, "entendre"):
            for number in range(3):
                name = f"a{number}"
                await bench.tell(api.ReplyStarted(name, "", "Hello", 24_000), api.ReplyAudio(name, bytes(480)))
                await asyncio.wait_for(bench.tell(api.ReplyEnded(name, "", 0.0)), 1.0)
        assert caplog.text.count("a reply was not fetched") == 3
        await settled(lambda: len(box.all(pb.VoiceAssistantAnnounceRequest)) == 3)
        box.wake()
        await settled(lambda: "STT_START" in box.events())
        assert runner.statuses()[0].connections == 1


async def test_without_announcements_the_media_player_plays_them(bench: Bench) -> None:
    box = Box(features=int(VOICE))
    async with bench.serving(box):
        await bench.tell(api.ReplyStarted("a", "", "Dinner is ready", 24_000), api.ReplyAudio("a", bytes(4_800)))
        await settled(lambda: box.all(pb.MediaPlayerCommandRequest))
        (played,) = box.all(pb.MediaPlayerCommandRequest)
        assert played.announcement
        bench.fetch(played.media_url)
        ending = asyncio.create_task(bench.tell(api.ReplyEnded("a", "", 0.1)))
        for state in (pb.MEDIA_PLAYER_STATE_PLAYING, pb.MEDIA_PLAYER_STATE_IDLE):
            await asyncio.sleep(0.02)
            assert not ending.done()
            box.send(pb.MediaPlayerStateResponse(key=1, state=state, volume=0.5))
        await asyncio.wait_for(ending, 1.0)


async def test_a_device_that_can_play_nothing_unasked_says_so(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    box = Box(features=int(VOICE | Feature.SPEAKER), player=False)
    async with bench.serving(box):
        with caplog.at_level(logging.WARNING, "entendre"):
            await bench.tell(api.ReplyStarted("a", "", "Hello", 24_000), api.ReplyAudio("a", bytes(480)))
            await bench.tell(api.ReplyEnded("a", "", 0.0))
        assert "can't be told" in caplog.text
        assert box.events() == []


async def test_timers_are_shown(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        changes = ("started", "paused", "resumed", "lengthened", "cancelled")
        await bench.tell(*(timer(change) for change in changes), timer("ended"))
        await settled(lambda: len(box.all(pb.VoiceAssistantTimerEventResponse)) == 5)
        shown = [(each.event_type, each.is_active) for each in box.all(pb.VoiceAssistantTimerEventResponse)]
        assert shown == [(0, True), (1, False), (1, True), (1, True), (2, False)]
        first = box.all(pb.VoiceAssistantTimerEventResponse)[0]
        assert (first.timer_id, first.name, first.total_seconds, first.seconds_left) == ("tea", "Tea", 10, 10)


async def test_running_timers_are_shown_to_a_device_that_comes_back(bench: Bench) -> None:
    bench.options = {"timers": lambda device: (timer("started"),) if device == "esphome-box" else ()}
    box = Box()
    async with bench.serving(box):
        await settled(lambda: box.all(pb.VoiceAssistantTimerEventResponse))


@pytest.mark.parametrize("ring_first", [True, False])
async def test_a_device_that_rings_itself_is_left_to_it_until_somebody_talks_to_it(
    bench: Bench, ring_first: bool
) -> None:
    box = Box()
    async with bench.serving(box):
        told = (api.RingStarted("r1", "timer", "Tea"), timer("ringing"))
        await bench.tell(*(told if ring_first else told[::-1]), *ring(), api.ReplyEnded("ring", "", 0.1))
        await settled(lambda: box.all(pb.VoiceAssistantTimerEventResponse))
        assert box.all(pb.VoiceAssistantTimerEventResponse)[0].event_type == pb.VOICE_ASSISTANT_TIMER_FINISHED
        assert not box.all(pb.VoiceAssistantAnnounceRequest)
        box.wake()
        await settled(lambda: bench.dismissed == ["r1"])
        await bench.tell(api.RingStopped("r1"))
        await asyncio.sleep(0.02)
        assert not box.all(pb.VoiceAssistantAnnounceRequest)


async def test_its_ring_is_dismissed_once_its_media_player_is_quiet(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "RING_QUIET_S", 0.05)
    box = Box(project="nabucasa.home-assistant-voice-pe")
    async with bench.serving(box):
        await bench.tell(timer("ringing"), api.RingStarted("r1", "timer", "Tea"))
        for state in (pb.MEDIA_PLAYER_STATE_ANNOUNCING, pb.MEDIA_PLAYER_STATE_IDLE) * 3:
            box.send(pb.MediaPlayerStateResponse(key=1, state=state, volume=0.5))
            await asyncio.sleep(0.02)
            assert bench.dismissed == []
        await settled(lambda: bench.dismissed == ["r1"])


async def test_an_alarm_is_sounded_here_and_opens_the_microphone(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        await bench.tell(api.RingStarted("r1", "alarm", None), *ring())
        await settled(lambda: box.all(pb.VoiceAssistantAnnounceRequest))
        (announced,) = box.all(pb.VoiceAssistantAnnounceRequest)
        assert announced.start_conversation
        assert announced.preannounce_media_id == ""


async def test_an_alarm_besides_a_timer_that_the_device_rings_is_sounded(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        await bench.tell(timer("ringing"), api.RingStarted("r1", "timer", "Tea"), api.RingStarted("r2", "alarm", None))
        await bench.tell(*ring())
        await settled(lambda: box.all(pb.VoiceAssistantAnnounceRequest))


async def test_the_timer_of_another_device_that_rings_here_is_sounded_here(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        await bench.tell(api.RingStarted("r1", "timer", "Tea"), *ring())
        await settled(lambda: box.all(pb.VoiceAssistantAnnounceRequest))


async def test_an_unknown_make_that_shows_timers_but_stays_silent_is_rung_by_us(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(project="somebody.display")
    async with bench.serving(box):
        await bench.tell(timer("ringing"), api.RingStarted("r1", "timer", "Tea"), *ring("first"))
        await bench.tell(api.ReplyEnded("first", "", 0.1))
        assert not box.all(pb.VoiceAssistantAnnounceRequest)
        monkeypatch.setattr(ringing, "EVIDENCE_S", 0.0)
        await bench.tell(*ring("second"))
        await settled(lambda: box.all(pb.VoiceAssistantAnnounceRequest))


async def test_a_ring_that_is_silenced_elsewhere_is_interrupted_and_the_next_one_is_ours(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue, "RING_PAUSE_S", 0.02)
    box = Box()
    async with bench.serving(box):
        await bench.tell(timer("ringing"), api.RingStarted("r1", "timer", "Tea"), api.RingStopped("r1"))
        await settled(lambda: len(box.all(pb.VoiceAssistantAnnounceRequest)) == 2)
        assert {each.text for each in box.all(pb.VoiceAssistantAnnounceRequest)} == {""}
        await bench.tell(timer("ringing"), api.RingStarted("r2", "timer", "Eggs"), *ring())
        await settled(lambda: len(box.all(pb.VoiceAssistantAnnounceRequest)) == 3)
        assert bench.dismissed == []


# -- what they can do --------------------------------------------------------------------------------------------------


async def test_volume_mute_and_media_go_to_its_media_player(bench: Bench) -> None:
    box = Box()
    async with bench.serving(box):
        box.send(pb.MediaPlayerStateResponse(key=1, state=pb.MEDIA_PLAYER_STATE_IDLE, volume=0.4))
        await settled(lambda: any(call[0] == "reconfigure" for call in bench.conversation.calls))
        assert bench.conversation.calls[-1][1].volume == 40
        perform = bench.conversation.link.perform
        assert await perform(act.AdjustVolume(20))
        assert await perform(act.SetVolume(150))
        assert await perform(act.SetMuted(True))
        assert not await perform(act.ControlMedia("pause")), "nothing plays"
        assert await perform(act.ControlMedia("play", "Jazz FM", url="https://radio.example/stream"))
        await bench.player_is(box, pb.MEDIA_PLAYER_STATE_PLAYING)
        assert await perform(act.ControlMedia("pause"))
        await bench.player_is(box, pb.MEDIA_PLAYER_STATE_PAUSED)
        assert await perform(act.ControlMedia("resume"))
        assert await perform(act.ControlMedia("stop"))
        assert not await perform(act.ControlMedia("play", "some jazz"))
        assert not await perform(act.ControlMedia("next"))
        assert not await perform(act.CallDeviceTool("set_light", "{}"))
        assert not await perform(act.StartTimer(5))
        await settled(lambda: len(box.all(pb.MediaPlayerCommandRequest)) == 7)
        louder, loudest, mute, play, *rest = box.all(pb.MediaPlayerCommandRequest)
        assert (round(louder.volume, 2), loudest.volume) == (0.6, 1.0)
        assert mute.command == pb.MEDIA_PLAYER_COMMAND_MUTE
        assert (play.media_url, play.announcement) == ("https://radio.example/stream", False)
        assert [each.command for each in rest] == [1, 0, 2]


async def test_a_device_without_a_media_player_can_do_nothing_of_it(bench: Bench) -> None:
    box = Box(player=False)
    async with bench.serving(box):
        perform = bench.conversation.link.perform
        assert not await perform(act.SetVolume(50))
        assert not await perform(act.ControlMedia("pause"))
        with pytest.raises(ActionError):
            await perform(act.ControlMedia("play", "Jazz FM", url="https://radio.example/stream"))
        assert await perform(act.StopSpeaking())


async def test_its_own_light_is_a_tool(bench: Bench) -> None:
    box = Box(light=True)
    async with bench.serving(box):
        profile = bench.conversation.profile
        assert profile.tools == ("set_light",)
        assert "color" in json.loads(profile.tool_definitions[0].parameters)["properties"]
        perform = bench.conversation.link.perform
        assert await perform(act.CallDeviceTool("set_light", '{"on": true, "brightness": 50, "color": "#ff0000"}'))
        assert not await perform(act.CallDeviceTool("set_light", '{"color": "red"}'))
        assert not await perform(act.CallDeviceTool("set_light", "[]"))
        await settled(lambda: box.all(pb.LightCommandRequest))
        (command,) = box.all(pb.LightCommandRequest)
        assert (command.state, command.brightness, command.red, command.green) == (True, 0.5, 1.0, 0.0)


MYCROFT = WakeWordModel("hey_mycroft", "Hey Mycroft", ("en",), 57_248, "ab" * 32, "/wake-words/hey_mycroft.json")
NABU = WakeWordModel("okay_nabu", "Okay Nabu", ("en",), 80_824, "cd" * 32, "/wake-words/okay_nabu.json")


async def test_wake_words_are_activated_and_missing_ones_are_offered(bench: Bench) -> None:
    bench.options = {"wake_words": (MYCROFT, NABU)}
    box = Box()
    async with bench.serving(box, settings=replace(QUICK, wake_words=("hey jarvis", "hey mycroft", "hey nobody"))):
        await settled(lambda: box.active == ["hey_jarvis", "hey_mycroft"])
        offered = [each for m in box.all(pb.VoiceAssistantConfigurationRequest) for each in m.external_wake_words]
        assert [each.id for each in offered] == ["hey_mycroft"]
        assert offered[0].url == "http://127.0.0.1:8770/wake-words/hey_mycroft.json"
        assert (offered[0].model_type, offered[0].model_size, offered[0].model_hash) == ("micro", 57_248, "ab" * 32)


async def test_its_wake_words_stay_as_they_are_unless_some_are_wanted(bench: Bench) -> None:
    bench.options = {"wake_words": (MYCROFT,)}
    box = Box()
    async with bench.serving(box):
        await settled(lambda: box.all(pb.VoiceAssistantConfigurationRequest))
        await asyncio.sleep(0.05)
        assert not box.all(pb.VoiceAssistantSetConfiguration)
        assert not box.all(pb.VoiceAssistantConfigurationRequest)[0].external_wake_words


async def test_a_device_that_says_nothing_of_wake_words_is_served_all_the_same(bench: Bench) -> None:
    box = Box(features=int(LVA))
    answer = box.answer
    box.answer = lambda message: (  # type: ignore[method-assign]
        () if isinstance(message, pb.VoiceAssistantConfigurationRequest) else answer(message)
    )
    async with bench.serving(box, settings=replace(QUICK, wake_words=("alexa",))) as runner:
        await asyncio.sleep(0.25)
        assert runner.statuses()[0].state == "serving"


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.7", DeviceSettings("192.0.2.7", 6053)),
        ("kitchen@Kitchen=voice.local:6054", DeviceSettings("voice.local", 6054, "", "kitchen", "Kitchen", KEY)),
        ("far@Shed=02:00:00:00:00:07", DeviceSettings("", 6053, HARDWARE, "far", "Shed", OTHER_KEY)),
    ],
)
def test_a_device_is_written_in_one_line(text: str, expected: DeviceSettings) -> None:
    keys = parse_keys([f"kitchen={KEY}", f"02-00-00-00-00-07={OTHER_KEY}"])
    assert parse_device(text, keys) == expected


def test_a_device_is_known_by_its_name_its_hardware_or_its_address() -> None:
    assert DeviceSettings("h", 1, name="n").device == "esphome-n"
    assert DeviceSettings(hardware=HARDWARE).device == f"esphome-{HARDWARE}"
    assert DeviceSettings("h", 1).device == "esphome-h-1"


@pytest.mark.parametrize("text", ["", "a=", "box:http", "02:00:00:00:00:07"])
def test_a_device_that_is_written_wrong_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"host:port|noise_keys"):
        parse_device(text)


@pytest.mark.parametrize("texts", [["a=h:1", "a=h:2"], ["h:1", "h:1"], [f"a={HARDWARE}", f"b={HARDWARE}"]])
def test_two_devices_by_one_name_are_refused(texts: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="twice"):
        parse_devices(texts, parse_keys([f"{HARDWARE}={KEY}"]))


def test_a_key_is_not_shown() -> None:
    assert KEY not in repr(parse_device("kitchen=h", {"kitchen": KEY}))


def test_urls_are_those_that_a_device_can_use() -> None:
    def url(address: str, **options: Any) -> str:
        return House(cast(Any, None), cast(Any, None), 8770, **options).url(address, "/x")

    assert url("192.0.2.1") == "http://192.0.2.1:8770/x"
    assert url("fe80::1%eth0") == "http://[fe80::1]:8770/x"
    assert url("192.0.2.1", public_url="https://voice.example/") == "https://voice.example/x"


@pytest.mark.parametrize("text", ["", "kitchen", f"={KEY}", "kitchen=short", "kitchen=ä"])
def test_a_key_that_is_written_wrong_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ConfigurationError, match="base64") as caught:
        parse_keys([text])
    assert "short" not in caught.value.public_message


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
